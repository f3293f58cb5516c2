"""The demo: a small synthetic world, told through the hub's own doors."""
