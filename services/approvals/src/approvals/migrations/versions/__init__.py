"""The revisions of approvals' schema, each once and for all."""
