"""Workarounds for faults of Dapr and its SDK, a module each."""
