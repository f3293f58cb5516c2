"""What the privacy officer asks: who was shown what, broken glass, breaches, seals."""
