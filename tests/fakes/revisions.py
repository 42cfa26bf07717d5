"""A folder of revisions that tests add to."""

from pathlib import Path
from typing import Final

from orderflow_hosting.migrations.schema import Schema

_REVISION: Final = '''"""A revision for tests."""

import os
import signal
import time
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from orderflow_hosting.migrations.first_tables import add_hosting_tables
from orderflow_hosting.migrations.schema import exclude_versions_before

revision = "{number:04}"
down_revision = {former}


def upgrade() -> None:
{body}
'''
FIRST: Final = """
tables = sa.MetaData()
add_hosting_tables(tables, "order_id")
tables.create_all(op.get_bind())
op.create_table(
    "words", sa.Column("number", sa.Integer, primary_key=True), sa.Column("word", sa.Text)
)
"""


class Revisions:
    """The revisions of a service, added one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.schemas: list[Schema] = []
        self.add(FIRST)

    @property
    def newest(self) -> Schema:
        """The schema that the newest version needs."""
        return self.schemas[-1]

    def add(self, body: str) -> Schema:
        """Add a revision in a new version of the service, and return the schema that it needs."""
        number = len(self.schemas) + 1
        versions = self._folder / f"version-{number}"
        versions.mkdir()
        for earlier in self.schemas[-1].versions.glob("*.py") if self.schemas else ():
            (versions / earlier.name).write_text(earlier.read_text())
        former = f'"{number - 1:04}"' if number > 1 else "None"
        lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
        text = _REVISION.format(number=number, former=former, body=lines)
        (versions / f"r{number:04}_any.py").write_text(text)
        self.schemas.append(Schema("shop", versions))
        return self.newest
