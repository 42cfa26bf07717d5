"""Stock monitors, which report when an item runs low."""
