"""What this command shows to the services: a token, and in whose name it acts."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from orderflow_cli.access_file import AccessStore
from orderflow_cli.accounts import owner
from orderflow_cli.errors import OrderflowError
from orderflow_contracts.access import TOKEN_PATTERN

VARIABLE: Final = "ORDERFLOW_TOKEN"
FILE_VARIABLE: Final = "ORDERFLOW_TOKEN_FILE"
ACCESS_VARIABLE: Final = "ORDERFLOW_ACCESS_FILE"
OTHERS: Final = 0o077


@dataclass(frozen=True)
class Credential:
    """A token, where it comes from, and in whose name it acts where that can be known here.

    One that was found among a run's files is for that machine's services alone; one that was named
    goes to wherever the services are said to be.
    """

    token: str = field(repr=False)
    source: str
    name: str | None = None
    is_for_this_machine: bool = False

    def headers(self, url: str) -> dict[str, str]:
        """Return what shows the token to a service at an address; nothing if it is not for it."""
        if self.is_for_this_machine and not is_loopback(url):
            return {}
        return {"authorization": f"Bearer {self.token}"}


def home(environment: Mapping[str, str]) -> Path:
    """Return the folder of the run's files: the one that is named, or the checkout's, or here."""
    if named := _named(environment, "ORDERFLOW_HOME"):
        return named
    checkout = Path(__file__).resolve().parents[3]
    base = checkout if (checkout / "dapr.yaml").exists() else Path.cwd()
    return base / ".orderflow"


def _named(environment: Mapping[str, str], variable: str) -> Path | None:
    """Return the path that a variable holds, if it is set; raise `OrderflowError` if it is none."""
    text = environment.get(variable, "").strip()
    return read_path(variable, text) if text else None


def read_path(variable: str, text: str) -> Path:
    """Read the path that a variable holds; raise `OrderflowError` if it is none."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise OrderflowError(f"{variable}: there is no user of the name in {text}") from None


def access_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the access file is, or would be."""
    return _named(environment, ACCESS_VARIABLE) or home(environment) / "access.json"


def load_credential(environment: Mapping[str, str] = os.environ) -> Credential | None:
    """Read the token from the environment or from its file; None where there is none.

    Raises `OrderflowError` for what is no token, and for a file that others can read.
    """
    if token := environment.get(VARIABLE, "").strip():
        return Credential(_checked(token, VARIABLE), VARIABLE, _name(token, environment))
    named = _named(environment, FILE_VARIABLE)
    path = named or home(environment) / "token"
    found = _read(path, must_be_there=named is not None)
    if found is None:
        return None
    token = _checked(found, str(path))
    return Credential(
        token, str(path), _name(token, environment), is_for_this_machine=named is None
    )


def _read(path: Path, *, must_be_there: bool) -> str | None:
    """Read a token's file; one that nobody named may be missing, or be another user's."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            if mode & OTHERS:
                raise OrderflowError(
                    f"{path} holds a token and can be read or changed by others (its mode is "
                    f"{mode:o}), so it is not used: `chmod 600 {path}`, and if others have seen "
                    "it, `orderflow tokens remove` it"
                )
            return file.read().strip()
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if must_be_there:
            raise OrderflowError(f"{path} cannot be read: {error.strerror}") from error
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise OrderflowError(f"{path} cannot be read: {error}") from error


def _checked(token: str, source: str) -> str:
    if not re.match(TOKEN_PATTERN, token):
        raise OrderflowError(
            f"{source} holds no token: that is ofl_ and 43 letters, digits, - and _, as "
            "`orderflow tokens add` prints it"
        )
    return token


def _name(token: str, environment: Mapping[str, str]) -> str | None:
    """Look the token up in the access file, where this user can read it."""
    try:
        return owner(AccessStore(access_path(environment)).read(), token)
    except OrderflowError:
        return None


def is_loopback(url: str) -> bool:
    """Tell whether a URL leads to this machine, whatever the network is."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
