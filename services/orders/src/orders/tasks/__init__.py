"""Tasks that people carry out, with a time limit."""
