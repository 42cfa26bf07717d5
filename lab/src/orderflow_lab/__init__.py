"""What only the makers of Orderflow need: measurements, a test cluster, stand-in images."""
