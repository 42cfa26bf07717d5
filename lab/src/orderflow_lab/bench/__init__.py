"""Measures what an order costs, compared with a bare workflow on the same engine."""
