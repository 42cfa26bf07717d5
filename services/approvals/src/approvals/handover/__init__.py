"""Delivery of decisions to orders, repeated until orders has answered."""
