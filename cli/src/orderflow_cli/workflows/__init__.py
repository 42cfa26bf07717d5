"""Commands that manage workflow instances."""
