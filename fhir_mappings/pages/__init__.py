"""Pages for people: the packet, the letter, the card, what lies on top."""
