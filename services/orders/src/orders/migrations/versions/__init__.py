"""The revisions of orders' schema; a released revision never changes."""
