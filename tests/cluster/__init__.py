"""A package, so that pytest ends what its tests share when they have ended (scope "package")."""
