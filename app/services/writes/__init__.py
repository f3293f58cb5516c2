"""What a client writes: create, update, patch, delete, transactions, and the Task that a partner answers by."""
