"""Deploys the local overlay to a Kubernetes cluster."""
