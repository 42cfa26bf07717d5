"""The lists of services in the root's pyproject.toml, which types, imports and coverage need."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import tomlkit
from tomlkit.items import Array

from orderflow_contracts.names import SERVICES

PLAIN: Final = "In a service without packages, imports point from the edge to the rules"
"""The rule for the layers of each service that has no rule of its own."""


def project(text: str) -> str:
    """Return the project file with every service in each of its lists."""
    document = tomlkit.parse(text)
    tools: Any = document["tool"]
    sources = [f"services/{app_id}/src" for app_id in SERVICES]
    paths = tools["mypy"]["mypy_path"].split(":")
    tools["mypy"]["mypy_path"] = ":".join(_with(paths, sources))
    _extend(tools["coverage"]["run"]["source"], sources)
    linter = tools["importlinter"]
    for listed in (linter["root_packages"], *_rules_about_all(linter["contracts"])):
        _extend(listed, SERVICES)
    (plain,) = (each for each in linter["contracts"] if each["name"] == PLAIN)
    _extend(plain["containers"], _without_own_layers(linter["contracts"]))
    return tomlkit.dumps(document)


def _rules_about_all(contracts: Iterable[Any]) -> Iterator[Array]:
    keys = ("modules", "forbidden_modules", "ancestors")
    return (contract[key] for contract in contracts for key in keys if key in contract)


def _without_own_layers(contracts: Iterable[Any]) -> list[str]:
    others = (contract for contract in contracts if contract["name"] != PLAIN)
    own = {container for contract in others for container in contract.get("containers", ())}
    return [app_id for app_id in SERVICES if app_id not in own]


def _with(listed: list[str], services: Iterable[str]) -> list[str]:
    """Return a list with the services that it lacks, behind those that it has."""
    lacking = [each for each in services if each not in listed]
    places = (place for place, each in enumerate(listed, start=1) if each in services)
    place = max(places, default=0)
    return [*listed[:place], *lacking, *listed[place:]]


def _extend(listed: Array, services: Iterable[str]) -> None:
    """Do the same in place, which keeps the comments and the lines of the file."""
    for place, each in enumerate(_with(list(map(str, listed)), services)):
        if place == len(listed) or listed[place] != each:
            listed.insert(place, each)
