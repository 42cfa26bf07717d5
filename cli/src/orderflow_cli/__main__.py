"""Start the command: `python -m orderflow_cli`."""

from orderflow_cli.main import main

main()
