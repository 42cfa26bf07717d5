"""Start the service: `python -m approvals`."""

from approvals.main import main

main()
