"""The migrations of the database of orders."""
