"""The revisions of orders' schema, each once and for all."""
