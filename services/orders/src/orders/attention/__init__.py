"""Orders that need attention: which compensations failed, and retries of them."""
