"""Passwords: asked for, made, and kept so that who reads the file cannot use them."""

import getpass
import secrets
import sys
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from orderflow_cli.errors import OrderflowError

SHORTEST: Final = 12
LONGEST: Final = 256
"""More than anybody types; a limit keeps what a sign-in costs in bounds."""
ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits that nobody takes for one another."""
GROUPS, GROUP = 5, 4
_HASHER: Final = PasswordHasher()


def made() -> str:
    """Make a password of 20 characters, about 99 bits, in groups that can be read and typed."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))


def asked(name: str) -> str:
    """Ask for somebody's new password twice, without showing it; raise `OrderflowError` if unfit.

    Where nobody can be asked, it raises what else to do.
    """
    if not sys.stdin.isatty():
        raise OrderflowError(
            "a password is asked for at a terminal only: --password-stdin reads one from standard "
            "input, --generate makes one"
        )
    password = fit(getpass.getpass(f"Password for {name}: "))
    if getpass.getpass("Again: ") != password:
        raise OrderflowError("these are two different passwords; nothing was changed")
    return password


def piped() -> str:
    """Read a password from the first line of standard input; raise `OrderflowError` if unfit."""
    try:
        # Whatever the terminal's encoding is: a browser will send the same password as UTF-8.
        return fit(sys.stdin.buffer.readline().decode("utf-8").rstrip("\r\n"))
    except UnicodeDecodeError:
        raise OrderflowError("the password on standard input is not UTF-8") from None


def fit(password: str) -> str:
    """Let through what can be a password; raise `OrderflowError` for what is too short or long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise OrderflowError(
            f"a password has {SHORTEST} to {LONGEST} characters, and this one {len(password)}; "
            "nothing was changed"
        )
    return password


def hashed(password: str) -> str:
    """Return what is kept of a password (Argon2id, with the library's own costs)."""
    return _HASHER.hash(password)


def fits(kept: str, password: str) -> bool:
    """Tell whether this is the password of which that was kept."""
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False
