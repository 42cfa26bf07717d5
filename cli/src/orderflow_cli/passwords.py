"""Passwords: prompted for, generated, validated and hashed."""

import getpass
import secrets
import sys
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from orderflow_cli.errors import OrderflowError

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 256
"""More than anybody types; the limit bounds the cost of a sign-in."""
ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits that are not easily confused."""
GROUPS, GROUP = 5, 4
_HASHER: Final = PasswordHasher()


def generate() -> str:
    """Generate a password of 20 characters, about 99 bits, in groups that are easy to type."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))


def prompt(name: str) -> str:
    """Ask twice for a new password, without echo; raise `OrderflowError` if it is not acceptable.

    Without a terminal, the error names the alternatives.
    """
    if not sys.stdin.isatty():
        raise OrderflowError(
            "there is no terminal to ask for a password: use --password-stdin to read it from "
            "standard input, or --generate to generate one"
        )
    password = validate(getpass.getpass(f"Password for {name}: "))
    if getpass.getpass("Again: ") != password:
        raise OrderflowError("the two passwords differ; nothing was changed")
    return password


def read_from_stdin() -> str:
    """Read a password from the first line of standard input and validate it."""
    try:
        # Always UTF-8, as a browser will send it, whatever the terminal's encoding is.
        return validate(sys.stdin.buffer.readline().decode("utf-8").rstrip("\r\n"))
    except UnicodeDecodeError:
        raise OrderflowError("the password on standard input is not UTF-8") from None


def validate(password: str) -> str:
    """Return the password; raise `OrderflowError` if it is too short or too long."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise OrderflowError(
            f"a password needs {MIN_LENGTH} to {MAX_LENGTH} characters, and this one has "
            f"{len(password)}; nothing was changed"
        )
    return password


def hash_password(password: str) -> str:
    """Hash a password (Argon2id with the library's default costs)."""
    return _HASHER.hash(password)


def matches(stored_hash: str, password: str) -> bool:
    """Return whether the password matches the stored hash."""
    try:
        return _HASHER.verify(stored_hash, password)
    except (VerificationError, InvalidHashError):
        return False
