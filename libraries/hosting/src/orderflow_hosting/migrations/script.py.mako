"""${message}.

Revision ${up_revision}, after ${down_revision}.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision: Final = "${up_revision}"
down_revision: Final = "${down_revision}"


def upgrade() -> None:
    """${message}."""
    ${upgrades if upgrades else "pass"}
