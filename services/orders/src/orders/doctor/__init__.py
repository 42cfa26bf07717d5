"""Compares the orders on record with the engine, stock, payments, approvals and tasks."""
