"""Builds and starts Orderflow's platform on one machine: broker, Dapr, and the services on it."""
