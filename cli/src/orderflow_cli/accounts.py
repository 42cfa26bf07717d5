"""Changes to the users and tokens in an access file."""

from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter, ValidationError

from orderflow_cli.errors import OrderflowError
from orderflow_contracts.access import (
    AccessFile,
    Role,
    Token,
    User,
    UserName,
    token_digest,
)
from orderflow_contracts.fields import now

SHORTEST_ID = 6
_NAME: TypeAdapter[str] = TypeAdapter(UserName)


def valid_name(name: str) -> str:
    """Return the name if it is valid; raise `OrderflowError` otherwise."""
    try:
        return _NAME.validate_python(name)
    except ValidationError:
        raise OrderflowError(
            f"{name!r} is not a valid name: use 1 to 128 printable characters, without leading or "
            "trailing blanks"
        ) from None


def with_user(file: AccessFile, name: str, roles: Iterable[Role], password_hash: str) -> AccessFile:
    """Add a user; raise `OrderflowError` if the name is taken."""
    require_new_user(file, name)
    user = User(name=valid_name(name), roles=tuple(roles), password_hash=password_hash)
    return file.model_copy(update={"users": (*file.users, user)})


def require_new_user(file: AccessFile, name: str) -> None:
    """Raise `OrderflowError` if the name is taken."""
    if any(user.name == name for user in file.users):
        raise OrderflowError(
            f"user {name} already exists: change it with `orderflow users password` or `orderflow "
            "users roles`"
        )


def find_user(file: AccessFile, name: str) -> User:
    """Return a user; raise `OrderflowError` if there is none with that name."""
    for user in file.users:
        if user.name == name:
            return user
    raise OrderflowError(f"there is no user {name}; list them with `orderflow users list`")


def with_changed_user(file: AccessFile, name: str, **changes: object) -> AccessFile:
    """Change fields of a user; raise `OrderflowError` if there is none with that name."""
    former = find_user(file, name)
    changed = User.model_validate({**former.model_dump(), **changes})
    users = tuple(changed if user is former else user for user in file.users)
    return file.model_copy(update={"users": users})


def without_user(file: AccessFile, name: str) -> AccessFile:
    """Remove a user; raise `OrderflowError` if there is none with that name."""
    former = find_user(file, name)
    return file.model_copy(update={"users": tuple(u for u in file.users if u is not former)})


def with_token(file: AccessFile, name: str, roles: Iterable[Role], secret: str) -> AccessFile:
    """Add a token for a name; only the token's digest is stored."""
    token = Token(
        name=valid_name(name),
        roles=tuple(roles),
        sha256=token_digest(secret),
        created_at=now(),
    )
    return file.model_copy(update={"tokens": (*file.tokens, token)})


def token_id(token: Token) -> str:
    """Return the short ID that distinguishes tokens with the same name."""
    return token.sha256[:8]


def find_tokens(file: AccessFile, name_or_id: str) -> Sequence[Token]:
    """Return all tokens of a name, or the one with an ID; raise `OrderflowError` if none."""
    found = [token for token in file.tokens if token.name == name_or_id]
    if not found and len(name_or_id) >= SHORTEST_ID:
        found = [token for token in file.tokens if token.sha256.startswith(name_or_id)]
    if not found:
        raise OrderflowError(
            f"there is no token {name_or_id}; list them with `orderflow tokens list`"
        )
    return found


def without_tokens(file: AccessFile, removed: Sequence[Token]) -> AccessFile:
    """Remove tokens."""
    return file.model_copy(update={"tokens": tuple(t for t in file.tokens if t not in removed)})


def token_owner(file: AccessFile, secret: str) -> str | None:
    """Return the name that a token acts for, if the file contains it."""
    digest = token_digest(secret)
    return next((token.name for token in file.tokens if token.sha256 == digest), None)
