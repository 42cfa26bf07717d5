"""The lifecycle of one order: accepted, processed in its workflow, cancelled, rolled back."""
