"""Keeps the processes of a run alive, finds them and stops them."""
