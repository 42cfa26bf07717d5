"""Workflow instances: what can be asked of them and done to them, and how it looks."""
