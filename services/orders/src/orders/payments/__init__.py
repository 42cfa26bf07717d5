"""Payments: the provider's port, and the built-in provider with its ledger."""
