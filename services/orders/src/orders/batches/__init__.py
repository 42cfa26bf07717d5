"""Batches of orders: taken in whole, run side by side, summarised."""
