"""The access file, with users and tokens: read, and replaced atomically."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from orderflow_cli.errors import OrderflowError
from orderflow_contracts.access import AccessFile

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


class AccessStore:
    """An access file at a path; the file need not exist yet.

    Services read it while it is replaced, and two commands may write at the same time, so a change
    is computed under a lock and replaces the file atomically.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> AccessFile:
        """Return the content (empty if there is no file); raise `OrderflowError` if unreadable."""
        try:
            return AccessFile.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return AccessFile()
        except OSError as error:
            raise OrderflowError(f"{self.path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, fault["loc"])) or "the file"
            raise OrderflowError(f"{self.path}: {place}: {fault['msg']}") from None

    def change(self, rule: Callable[[AccessFile], AccessFile]) -> AccessFile:
        """Apply a change to the content; return the content before it.

        If the rule raises or changes nothing, the file stays untouched. Raises `OrderflowError` if
        the file cannot be read or written.
        """
        try:
            with self._locked():
                before = self.read()
                after = rule(before)
                if after != before or not self.path.exists():
                    write_private(self.path, after.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise OrderflowError(f"{self.path} cannot be written: {error.strerror}") from error
        return before

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        lock = self.path.with_name(f"{self.path.name}.lock")
        # The lock file is never removed: all waiting processes must lock the same file.
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically with one that only this user can read.

    Raises `OSError`.
    """
    path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    path = path.resolve()  # a symbolic link stays a link
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
