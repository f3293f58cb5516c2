"""What many messages say of one visit, put together."""
