"""The searchable history of approvals that were decided, have expired or were withdrawn."""
