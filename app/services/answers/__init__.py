"""Hospitals are told by HL7 v2 what became of their referrals."""
