"""The brokers that can carry the events of a local run, one in each module."""
