"""A scheduler that can work as soon as it has started, even if the one before it was killed."""
