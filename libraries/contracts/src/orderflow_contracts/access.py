"""Who may do what: the roles, and the file that names users and tokens."""

import hashlib
import secrets
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from orderflow_contracts.fields import Message, Moment, Name

TOKEN_PREFIX: Final = "ofl_"  # noqa: S105 # a prefix, not a token
TOKEN_BYTES: Final = 32
TOKEN_PATTERN: Final = r"^ofl_[A-Za-z0-9_-]{43}$"  # noqa: S105 # likewise


class Role(StrEnum):
    """What a person or program may do; every role includes viewing."""

    VIEWER = "viewer"
    APPROVER = "approver"
    OPERATOR = "operator"


def _each_once(roles: tuple[Role, ...]) -> tuple[Role, ...]:
    return tuple(role for role in Role if role in roles)


Roles = Annotated[tuple[Role, ...], Field(min_length=1), AfterValidator(_each_once)]
"""One or more roles, sorted and without duplicates."""

WORDS: Final = r"^[^\s\x00-\x1f\x7f]+( [^\s\x00-\x1f\x7f]+)*$"
"""Printable words separated by single spaces; this pattern replaces the one of `Name`."""

UserName = Annotated[Name, StringConstraints(pattern=WORDS)]
"""A name to sign in with, also recorded as the approver of a decision; no surrounding spaces."""

PasswordHash = Annotated[str, StringConstraints(pattern=r"^\$argon2id\$\S+$", max_length=500)]
"""The Argon2id hash of a password."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""The SHA-256 of a token, in hexadecimal digits."""


class User(Message):
    """A person who signs in with a password."""

    name: UserName
    roles: Roles
    password_hash: PasswordHash = Field(repr=False)


class Token(Message):
    """A secret that a program sends to an API; the name identifies the program.

    One name may have several tokens, so that a new one can be introduced before the old is removed.
    """

    name: UserName
    roles: Roles
    sha256: Sha256 = Field(repr=False)
    created_at: Moment


class AccessFile(Message):
    """All users and tokens, as written by `orderflow users` and `orderflow tokens`."""

    users: tuple[User, ...] = ()
    tokens: tuple[Token, ...] = ()

    @model_validator(mode="after")
    def _no_duplicates(self) -> Self:
        names = [user.name for user in self.users]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"users: {', '.join(twice)} is listed more than once")
        if len({token.sha256 for token in self.tokens}) < len(self.tokens):
            raise ValueError("tokens: the same sha256 is listed more than once")
        return self


def new_token() -> str:
    """Make a token that nobody can guess; it is shown once, and only its digest is stored."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def token_digest(token: str) -> str:
    """Return the digest that is stored for a token."""
    return hashlib.sha256(token.encode()).hexdigest()
