"""What Orderflow's services say to each other."""
