"""The models with which the revisions must agree."""

from typing import Final

from approvals.tables import TABLES
from orderflow_hosting.migrations.schema import HOUSEKEEPING

MODELS: Final = (TABLES, HOUSEKEEPING)
