"""What became of each field, for whoever connects a hospital."""
