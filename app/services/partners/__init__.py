"""Who takes part, what they say of themselves, and what they have agreed."""
