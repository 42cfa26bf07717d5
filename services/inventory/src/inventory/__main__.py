"""Start the service: `python -m inventory`."""

import os
import signal

# Imports take a while, and PID 1 of a container ignores signals without a handler.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

from inventory.main import main  # noqa: E402

main()
