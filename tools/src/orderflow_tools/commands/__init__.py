"""The commands of `orderflow-tools`."""
