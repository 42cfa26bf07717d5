"""The board: orders found, counted and shown to people in a browser."""
