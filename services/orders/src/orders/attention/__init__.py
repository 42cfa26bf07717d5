"""Orders that need a person: which compensations failed, and trying them again."""
