"""Runs a service's Dapr workflows: see the README beside this package."""
