"""Run the bench: `python -m orderflow_tools.bench`."""

import sys

from orderflow_tools.bench.main import main

sys.exit(main())
