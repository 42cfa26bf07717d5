"""Start the service with `python -m approvals`, migrate its database with `… migrate`."""

import os
import signal
import sys

# Imports take a while, and PID 1 of a container ignores signals without a handler.
# An interrupted migration has failed, and its exit code says so.
signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number if sys.argv[1:] else 0))

if sys.argv[1:]:
    from approvals.config import ApprovalsDatabaseSettings, ApprovalsSettings
    from approvals.migrations import SCHEMA
    from orderflow_hosting.migrations import command

    command.run(sys.argv[1:], SCHEMA, ApprovalsDatabaseSettings, ApprovalsSettings)
else:
    from approvals.main import main

    main()
