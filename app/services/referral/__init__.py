"""The life of one visit's referral: its clock, who is asked, who sees what of it."""
