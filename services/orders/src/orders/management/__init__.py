"""Management of workflows, and two workflows to try it on."""
