"""The schema of approvals' database, and the revisions that create it."""

from pathlib import Path
from typing import Final

from orderflow_hosting.migrations.schema import Schema

SCHEMA: Final = Schema("approvals", Path(__file__).parent / "versions")
