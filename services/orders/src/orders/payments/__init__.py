"""Payments: the provider's port, the built-in provider, and the record of charges and refunds."""
