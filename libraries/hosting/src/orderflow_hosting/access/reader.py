"""The access file: read once at the start, and again whenever it changes."""

import hmac
from pathlib import Path

import structlog
from pydantic import ValidationError

from orderflow_contracts.access import AccessFile, Token, User, token_digest
from orderflow_hosting.problems import describe

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_Stamp = tuple[int, int, int]


class AccessFileBroken(Exception):
    """The access file cannot be read, or its content is not valid."""


class AccessReader:
    """The users and tokens that the file currently has.

    A change that breaks the file is ignored: its last valid content stays in force. Raises
    `AccessFileBroken` if the file is broken at the start. Without a file there are no users and no
    tokens.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: _Stamp | None = None
        self._file = AccessFile()
        if path is not None:
            self._stamp = _stamp(path)
            self._file = _read(path)

    def user(self, name: str) -> User | None:
        """Find a user by the name."""
        return next((user for user in self._current().users if user.name == name), None)

    def token(self, text: str) -> Token | None:
        """Find a token; the time this takes reveals nothing about the tokens in the file."""
        digest = token_digest(text)
        found = None
        for token in self._current().tokens:
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found

    def _current(self) -> AccessFile:
        if self._path is None:
            return self._file
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._reload(self._path)
        return self._file

    def _reload(self, path: Path) -> None:
        try:
            self._file = _read(path)
        except AccessFileBroken as error:
            log.error("access_file_broken", why=str(error))  # noqa: TRY400 # the traceback adds nothing
        else:
            log.info("access_file_read", users=len(self._file.users))


def _stamp(path: Path) -> _Stamp | None:
    """Identify a version of the file; it is replaced as a whole, so its inode changes."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _read(path: Path) -> AccessFile:
    try:
        return AccessFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise AccessFileBroken(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise AccessFileBroken(f"{path}: {describe(error)}") from error
