"""Keeps the environment's proxies away from connections within this machine."""

from collections.abc import Iterable, Mapping
from typing import Final

LOCAL: Final = ("localhost", "127.0.0.1", "::1")
VARIABLES: Final = ("no_proxy", "NO_PROXY")
"""Programs read one of these two names, but not all read the same one."""


def bypassing(environment: Mapping[str, str], hosts: Iterable[str] = LOCAL) -> dict[str, str]:
    """Return an environment in which these hosts or networks are reached without a proxy."""
    listed = ",".join(environment.get(name, "") for name in VARIABLES).split(",")
    wanted = dict.fromkeys([*(host.strip() for host in listed if host.strip()), *hosts])
    return {**environment, **dict.fromkeys(VARIABLES, ",".join(wanted))}


def without(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without proxies, for programs that need no network."""
    return {
        name: value
        for name, value in environment.items()
        if name in VARIABLES or not name.lower().endswith("_proxy")
    }
