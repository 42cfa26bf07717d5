"""Approval requests and the decisions about them: rules applied, stored, listed and watched."""
