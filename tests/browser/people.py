"""The users who may sign in during the tests of the pages, and their roles."""

from functools import cache
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher

from orderflow_contracts.access import AccessFile, Role, User

PASSWORD: Final = "correct horse battery staple"  # noqa: S105 # everybody's, in a test

VIEWER: Final = "vera viewer"
APPROVER: Final = "ada approver"
SECOND_APPROVER: Final = "ben approver"
OPERATOR: Final = "otto operator"
MANAGER: Final = "mia manager"
"""A user with both roles, as in a small shop."""
LEAVING: Final = "lea leaving"
"""A viewer whom a test removes from the file."""
FORGETFUL: Final = "fay forgetful"
"""A viewer who types wrong passwords, and is throttled."""

PEOPLE: Final = {
    VIEWER: (Role.VIEWER,),
    APPROVER: (Role.APPROVER,),
    SECOND_APPROVER: (Role.APPROVER,),
    OPERATOR: (Role.OPERATOR,),
    MANAGER: (Role.APPROVER, Role.OPERATOR),
    LEAVING: (Role.VIEWER,),
    FORGETFUL: (Role.VIEWER,),
}


def write_access_file(path: Path, *, without: str = "") -> Path:
    """Write the access file as `orderflow users` does, and return its path."""
    users = tuple(
        User(name=name, roles=roles, password_hash=_password_hash())
        for name, roles in PEOPLE.items()
        if name != without
    )
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(AccessFile(users=users).model_dump_json())
    return new.replace(path)


@cache
def _password_hash() -> str:
    """Hash the password once: with another hash, everyone would have to sign in again."""
    return PasswordHasher().hash(PASSWORD)
