"""What workflow code may import: typed tasks, payloads, retry policies, compensation."""
