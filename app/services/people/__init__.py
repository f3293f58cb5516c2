"""What people decide, say and have to do: by phone, at the door, once a week."""
