"""The schema of orders' database, and the revisions that create it."""

from pathlib import Path
from typing import Final

from orderflow_hosting.migrations.schema import Schema

SCHEMA: Final = Schema("orders", Path(__file__).parent / "versions")
