"""The life of one order: accepted, carried through its workflow, cancelled, undone."""
