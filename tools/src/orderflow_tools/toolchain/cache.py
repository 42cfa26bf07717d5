"""What is built or fetched once for all clones on a machine.

It is in the user's cache folder, under a name made from everything that it is made from. So clones
share it, and a changed pin makes it anew.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from orderflow_tools.console import print_line


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder in the user's cache for everything that is built or fetched."""
    base = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "orderflow"


def key_of(folder: Path, files: Iterable[str], recipe: object) -> str:
    """Return a name that changes with these files in the folder, and with the recipe."""
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + (folder / name).read_bytes())
    digest.update(repr(recipe).encode())
    return digest.hexdigest()[:16]


def make_once(made: Path, title: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of the cache; let `make` fill it if need be, completely or not at all."""
    if made.exists():
        return made
    with _lock(made.with_suffix(".lock"), title):
        if not made.exists():  # another clone may have made it meanwhile
            draft = made.with_name(f"{made.name}.{os.getpid()}")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            try:
                make(draft)
                draft.rename(made)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    return made


@contextmanager
def _lock(path: Path, title: str) -> Iterator[None]:
    """Hold a lock among all processes of this machine; say so if another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print_line(f"Another process is preparing {title} on this machine; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
