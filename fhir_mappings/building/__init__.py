"""The parts that ``build`` makes a referral of, and what is made of them for a partner."""
