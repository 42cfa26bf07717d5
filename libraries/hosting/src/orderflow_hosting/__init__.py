"""What each service process is made of: its edges to Dapr, to people and to its database."""
