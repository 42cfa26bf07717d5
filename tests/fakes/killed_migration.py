"""A migration whose process is killed half-way while another one waits for it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from fakes.revisions import Revisions
from orderflow_hosting.migrations.runner import migrate

ADD_MEANING: Final = 'op.add_column("words", sa.Column("meaning", sa.Text))'
PATIENCE_SECONDS: Final = 60

_SLEEP: Final = "time.sleep(600)"
_PROGRAM: Final = (
    "import sys; from pathlib import Path; from orderflow_hosting.engines import open_engine;"
    "from orderflow_hosting.migrations.schema import Schema;"
    "from orderflow_hosting.migrations.runner import migrate;"
    "migrate(open_engine(sys.argv[1]), Schema('shop', Path(sys.argv[2])))"
)


@asynccontextmanager
async def killed_migration(
    url: str, engine: Engine, revisions: Revisions, mark: Path
) -> AsyncIterator[asyncio.Task[None]]:
    """Add a column in a process that stops half-way; yield the migration that waits for it.

    The process lives within the context, and is killed at its end.
    """
    stuck = revisions.add(f'{ADD_MEANING}\nPath("{mark}").touch()\n{_SLEEP}')
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM, url, str(stuck.versions))
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not mark.exists():  # noqa: ASYNC240 # a quick look, now and then
                await asyncio.sleep(0.01)
        (file,) = stuck.versions.glob("r0002*")
        file.write_text(file.read_text().replace(_SLEEP, ""))
        yield asyncio.create_task(asyncio.to_thread(migrate, engine, stuck))
    finally:
        process.kill()
        await process.wait()
