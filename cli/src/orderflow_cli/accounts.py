"""What can be done to users and tokens: each change of an access file, as a rule of its own."""

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


def possible_name(name: str) -> str:
    """Let through what can be a name; raise `OrderflowError` else."""
    try:
        return _NAME.validate_python(name)
    except ValidationError:
        raise OrderflowError(
            f"{name!r} cannot be a name: that is 1 to 128 characters that can be printed, without "
            "blanks around it"
        ) from None


def with_user(file: AccessFile, name: str, roles: Iterable[Role], password_hash: str) -> AccessFile:
    """Add a user; raise `OrderflowError` if there is one of that name."""
    must_be_new(file, name)
    user = User(name=possible_name(name), roles=tuple(roles), password_hash=password_hash)
    return file.model_copy(update={"users": (*file.users, user)})


def must_be_new(file: AccessFile, name: str) -> None:
    """Raise `OrderflowError` if there is a user of that name."""
    if any(user.name == name for user in file.users):
        raise OrderflowError(
            f"there is a user {name} already: `orderflow users password` and `orderflow users "
            "roles` change one"
        )


def user_of(file: AccessFile, name: str) -> User:
    """Find a user; raise `OrderflowError` if there is none of that name."""
    for user in file.users:
        if user.name == name:
            return user
    raise OrderflowError(f"there is no user {name}; `orderflow users list` lists them")


def with_changed_user(file: AccessFile, name: str, **changes: object) -> AccessFile:
    """Change what is said of a user; raise `OrderflowError` if there is none of that name."""
    former = user_of(file, name)
    changed = User.model_validate({**former.model_dump(), **changes})
    users = tuple(changed if user is former else user for user in file.users)
    return file.model_copy(update={"users": users})


def without_user(file: AccessFile, name: str) -> AccessFile:
    """Leave a user out; raise `OrderflowError` if there is none of that name."""
    former = user_of(file, name)
    return file.model_copy(update={"users": tuple(u for u in file.users if u is not former)})


def with_token(file: AccessFile, name: str, roles: Iterable[Role], secret: str) -> AccessFile:
    """Add a token for a name; of the token itself, its digest is kept."""
    token = Token(
        name=possible_name(name),
        roles=tuple(roles),
        sha256=token_digest(secret),
        created_at=now(),
    )
    return file.model_copy(update={"tokens": (*file.tokens, token)})


def token_id(token: Token) -> str:
    """Tell tokens of one name from each other, as they are listed."""
    return token.sha256[:8]


def chosen_tokens(file: AccessFile, name_or_id: str) -> Sequence[Token]:
    """Find all tokens of a name, or the one with an id; raise `OrderflowError` if there is none."""
    found = [token for token in file.tokens if token.name == name_or_id]
    if not found and len(name_or_id) >= SHORTEST_ID:
        found = [token for token in file.tokens if token.sha256.startswith(name_or_id)]
    if not found:
        raise OrderflowError(f"there is no token {name_or_id}; `orderflow tokens list` lists them")
    return found


def without_tokens(file: AccessFile, gone: Sequence[Token]) -> AccessFile:
    """Leave tokens out."""
    return file.model_copy(update={"tokens": tuple(t for t in file.tokens if t not in gone)})


def owner(file: AccessFile, secret: str) -> str | None:
    """Tell in whose name a token acts, if the file knows it."""
    digest = token_digest(secret)
    return next((token.name for token in file.tokens if token.sha256 == digest), None)
