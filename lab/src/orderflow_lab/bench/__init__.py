"""What an order costs: measured beside a bare workflow on the same engine, in the same run."""
