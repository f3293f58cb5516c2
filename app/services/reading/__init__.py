"""What a client reads: one resource, its history, searches, and what the hub says that it can do."""
