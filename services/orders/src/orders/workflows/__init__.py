"""The order of steps: deterministic, without clock, randomness, environment or I/O."""
