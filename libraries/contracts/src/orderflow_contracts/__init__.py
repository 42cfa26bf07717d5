"""The messages, names and ports that Orderflow's services share."""
