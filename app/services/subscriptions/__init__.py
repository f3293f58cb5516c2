"""Subscribers, and how each is told what it asked for."""
