"""Management of workflows, and two demonstration workflows."""
