"""A package, so that pytest ends fixtures of scope "package" after its last test."""
