"""Who may use a run: a first user for its pages, and a token for whoever started it."""

import getpass
from collections.abc import Iterator
from typing import Final

from orderflow_cli import accounts, passwords
from orderflow_cli.access_file import AccessStore, write_private
from orderflow_cli.credentials import load_credential
from orderflow_cli.errors import OrderflowError
from orderflow_contracts.access import AccessFile, Role, User, new_token
from orderflow_contracts.names import APPROVALS, ORDERS
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings

NAMELESS: Final = "admin"
ROLES: Final = (Role.APPROVER, Role.OPERATOR)
"""What the first user is there for: whoever has a role may look as well."""


def prepare(settings: Settings) -> str | None:
    """Make a user if there is none, and a token for this machine's user if there is none.

    Returns the password if one was made. Secrets are written before what makes them count: where
    this is interrupted, the next start makes others. Raises PlatformError.
    """
    store = AccessStore(settings.access_file)
    try:
        password = None if store.read().users else _make_user(settings, store)
        if not _has_token(settings):
            _make_token(settings, store)
    except OrderflowError as error:
        raise PlatformError(f"{error}.") from error
    except OSError as error:
        raise PlatformError(f"{error.filename} cannot be written: {error.strerror}.") from error
    return password


def sign_in(settings: Settings, made: str | None = None) -> Iterator[str]:
    """Tell where the pages are and who can sign in; a password only where it was just made."""
    yield (f"Sign in at {settings.url(APPROVALS)}/ (inbox) and {settings.url(ORDERS)}/ (board)")
    try:
        users = AccessStore(settings.access_file).read().users
    except OrderflowError as error:
        yield f"  nobody can: {error}"
        return
    first, password = _kept(settings)
    kept = next((user for user in users if user.name == first), None)
    if made is not None:
        yield f"  as {first} with the password {made} (kept in {settings.first_user_file})"
    elif kept is not None and passwords.matches(kept.password_hash, password):
        yield f"  as {first}; the password is in {settings.first_user_file}"
    elif users:
        yield f"  as {_listed(users)}; `orderflow users password NAME` gives another password"
    else:
        yield "  nobody can: `orderflow users add NAME` adds a user"
    yield f"  programs show the token in {settings.token_file}, where the APIs are closed"


def machine_user() -> str:
    """Name the first user as the machine does, where that can be a name."""
    try:
        return accounts.valid_name(getpass.getuser())
    except (KeyError, OSError, OrderflowError):  # a container's user may have no name
        return NAMELESS


def _make_user(settings: Settings, store: AccessStore) -> str:
    name, password = machine_user(), passwords.generate()
    write_private(settings.first_user_file, f"{name}\n{password}\n")
    kept = passwords.hash_password(password)
    store.change(lambda file: accounts.with_user(file, name, ROLES, kept))
    return password


def _make_token(settings: Settings, store: AccessStore) -> None:
    secret, name = new_token(), machine_user()
    write_private(settings.token_file, f"{secret}\n")

    def rule(file: AccessFile) -> AccessFile:
        return accounts.with_token(file, name, Role, secret)

    store.change(rule)


def _has_token(settings: Settings) -> bool:
    """Tell whether there is a token that counts; raise `OrderflowError` if others can read it."""
    found = load_credential(settings.client_environment())
    return found is not None and found.name is not None


def _kept(settings: Settings) -> tuple[str, str]:
    """Read the first user's name and password; neither where there is no such file."""
    try:
        name, password, *_ = settings.first_user_file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return "", ""
    return name, password


def _listed(users: tuple[User, ...]) -> str:
    names = [user.name for user in users]
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
