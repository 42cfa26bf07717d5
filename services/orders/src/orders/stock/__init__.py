"""Watching the stock, and warning when little is left of an item."""
