"""Start the service: `python -m inventory`."""

from inventory.main import main

main()
