"""What leaves about one referral as a whole: the packet, the letter, the card."""
