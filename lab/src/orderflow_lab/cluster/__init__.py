"""Kubernetes with Dapr on one machine: a control plane and a node, built from source."""
