"""The board: the web pages of orders, with search, counts and live updates."""
