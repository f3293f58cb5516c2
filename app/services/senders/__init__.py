"""A hospital's interface: tried out before it goes live, and its health afterwards."""
