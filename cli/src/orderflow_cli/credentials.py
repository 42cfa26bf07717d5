"""Finds the token that the command sends to the services, and the name it acts for."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from orderflow_cli.access_file import AccessStore
from orderflow_cli.accounts import token_owner
from orderflow_cli.errors import OrderflowError
from orderflow_contracts.access import TOKEN_PATTERN

VARIABLE: Final = "ORDERFLOW_TOKEN"
FILE_VARIABLE: Final = "ORDERFLOW_TOKEN_FILE"
ACCESS_VARIABLE: Final = "ORDERFLOW_ACCESS_FILE"
OTHERS: Final = 0o077


@dataclass(frozen=True)
class Credential:
    """A token, where it was found, and the name it acts for if that is known here.

    A token found in the local run's folder is sent only to services on this machine; a token that
    the environment names is sent wherever the services are.
    """

    token: str = field(repr=False)
    source: str
    name: str | None = None
    is_for_this_machine: bool = False

    def headers(self, url: str) -> dict[str, str]:
        """Return the authorization header for a service; empty if it must not get the token."""
        if self.is_for_this_machine and not is_loopback(url):
            return {}
        return {"authorization": f"Bearer {self.token}"}


def home(environment: Mapping[str, str]) -> Path:
    """Return the run's folder: ORDERFLOW_HOME, or `.orderflow` in the checkout or work folder."""
    if named := _named(environment, "ORDERFLOW_HOME"):
        return named
    checkout = Path(__file__).resolve().parents[3]
    base = checkout if (checkout / "dapr.yaml").exists() else Path.cwd()
    return base / ".orderflow"


def _named(environment: Mapping[str, str], variable: str) -> Path | None:
    """Return the path in a variable, if it is set; raise `OrderflowError` if it is invalid."""
    text = environment.get(variable, "").strip()
    return read_path(variable, text) if text else None


def read_path(variable: str, text: str) -> Path:
    """Expand the path in a variable; raise `OrderflowError` if its user does not exist."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise OrderflowError(f"{variable}: there is no user with the name in {text}") from None


def access_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the access file's path, whether or not it exists."""
    return _named(environment, ACCESS_VARIABLE) or home(environment) / "access.json"


def load_credential(environment: Mapping[str, str] = os.environ) -> Credential | None:
    """Read the token from the environment or its file; None if there is none.

    Raises `OrderflowError` for an invalid token, and for a file that others can read.
    """
    if token := environment.get(VARIABLE, "").strip():
        return Credential(_checked(token, VARIABLE), VARIABLE, _name(token, environment))
    named = _named(environment, FILE_VARIABLE)
    path = named or home(environment) / "token"
    found = _read(path, required=named is not None)
    if found is None:
        return None
    token = _checked(found, str(path))
    return Credential(
        token, str(path), _name(token, environment), is_for_this_machine=named is None
    )


def _read(path: Path, *, required: bool) -> str | None:
    """Read a token file; the default one may be missing or belong to another user."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            if mode & OTHERS:
                raise OrderflowError(
                    f"{path} contains a token and can be read or changed by others (its mode is "
                    f"{mode:o}), so it is not used: run `chmod 600 {path}`, and if others may have "
                    "seen the token, remove it with `orderflow tokens remove`"
                )
            return file.read().strip()
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if required:
            raise OrderflowError(f"{path} cannot be read: {error.strerror}") from error
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise OrderflowError(f"{path} cannot be read: {error}") from error


def _checked(token: str, source: str) -> str:
    if not re.match(TOKEN_PATTERN, token):
        raise OrderflowError(
            f"{source} contains no valid token: a token is ofl_ and 43 letters, digits, - or _, as "
            "printed by `orderflow tokens add`"
        )
    return token


def _name(token: str, environment: Mapping[str, str]) -> str | None:
    """Look up the token's name in the access file, if this user can read it."""
    try:
        return token_owner(AccessStore(access_path(environment)).read(), token)
    except OrderflowError:
        return None


def is_loopback(url: str) -> bool:
    """Return whether a URL always refers to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
