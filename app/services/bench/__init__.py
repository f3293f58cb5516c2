"""``throughline bench``: load, what it costs, and messages for it."""
