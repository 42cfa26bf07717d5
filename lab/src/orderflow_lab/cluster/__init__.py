"""Kubernetes with Dapr on one machine: a real node with a control plane, built from sources."""
