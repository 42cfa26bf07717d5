"""The revisions of approvals' schema; a released revision never changes."""
