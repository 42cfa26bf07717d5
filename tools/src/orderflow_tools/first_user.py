"""Creates the first user for the pages of a run, and a token for the user of this machine."""

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
"""The first user's roles; every role includes viewing."""


def prepare(settings: Settings) -> str | None:
    """Create a user if there is none, and a token for this machine's user if there is none.

    Returns the password of a new user. Secrets are saved before the access file makes them valid,
    so after an interruption the next start creates new ones. Raises PlatformError.
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
    """Yield where the pages are and who can sign in, with the password only if it is new."""
    yield (f"Sign in at {settings.url(APPROVALS)}/ (inbox) and {settings.url(ORDERS)}/ (board)")
    try:
        users = AccessStore(settings.access_file).read().users
    except OrderflowError as error:
        yield f"  nobody can sign in: {error}"
        return
    first, password = _saved(settings)
    user = next((each for each in users if each.name == first), None)
    if made is not None:
        yield f"  as {first} with the password {made} (saved in {settings.first_user_file})"
    elif user is not None and passwords.matches(user.password_hash, password):
        yield f"  as {first}; the password is in {settings.first_user_file}"
    elif users:
        yield f"  as {_listed(users)}; `orderflow users password NAME` sets a new password"
    else:
        yield "  nobody can sign in yet: `orderflow users add NAME` adds a user"
    yield f"  programs send the token in {settings.token_file} if the APIs are closed"


def machine_user() -> str:
    """Return the user's name on this machine, if Orderflow accepts it as a name."""
    try:
        return accounts.valid_name(getpass.getuser())
    except (KeyError, OSError, OrderflowError):  # a container's user may have no name
        return NAMELESS


def _make_user(settings: Settings, store: AccessStore) -> str:
    name, password = machine_user(), passwords.generate()
    write_private(settings.first_user_file, f"{name}\n{password}\n")
    hashed = passwords.hash_password(password)
    store.change(lambda file: accounts.with_user(file, name, ROLES, hashed))
    return password


def _make_token(settings: Settings, store: AccessStore) -> None:
    secret, name = new_token(), machine_user()
    write_private(settings.token_file, f"{secret}\n")

    def rule(file: AccessFile) -> AccessFile:
        return accounts.with_token(file, name, Role, secret)

    store.change(rule)


def _has_token(settings: Settings) -> bool:
    """Return whether there is a valid token; raise `OrderflowError` if others can read it."""
    found = load_credential(settings.client_environment())
    return found is not None and found.name is not None


def _saved(settings: Settings) -> tuple[str, str]:
    """Read the first user's name and password; both are empty without the file."""
    try:
        name, password, *_ = settings.first_user_file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return "", ""
    return name, password


def _listed(users: tuple[User, ...]) -> str:
    names = [user.name for user in users]
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
