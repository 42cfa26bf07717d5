<% title = message[:1].upper() + message[1:] %>\
"""${title}."""

from typing import Final

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision: Final = "${up_revision}"
down_revision: Final = ${f'"{down_revision}"' if down_revision else None}


def upgrade() -> None:
    """${title}."""
    ${upgrades if upgrades else "pass"}
