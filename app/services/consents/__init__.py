"""The form that a patient signs, and what was signed or taken back."""
