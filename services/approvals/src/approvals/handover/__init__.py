"""Delivery of decisions to orders, retried until orders has replied."""
