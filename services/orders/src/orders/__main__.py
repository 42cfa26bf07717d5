"""Start the service with `python -m orders`, migrate its database with `… migrate`."""

import os
import signal
import sys

# Imports take a while, and PID 1 of a container ignores signals without a handler.
# An interrupted migration has failed, and its exit code says so.
signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number if sys.argv[1:] else 0))

if sys.argv[1:]:
    from orderflow_hosting.migrations import command
    from orders.config import OrdersDatabaseSettings, OrdersSettings
    from orders.migrations import SCHEMA

    command.run(sys.argv[1:], SCHEMA, OrdersDatabaseSettings, OrdersSettings)
else:
    from orders.main import main

    main()
