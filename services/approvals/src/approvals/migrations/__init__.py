"""The migrations of the database of approvals."""
