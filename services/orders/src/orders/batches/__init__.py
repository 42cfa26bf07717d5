"""Batches of orders: accepted as a whole, run in parallel, summarised."""
