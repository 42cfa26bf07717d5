"""The models with which the revisions must agree."""

from approvals.tables import TABLES
from orderflow_hosting.database import HOUSEKEEPING

MODELS = (TABLES, HOUSEKEEPING)
