"""What each service's code declares about itself, for comparison with its declaration."""

import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from fakes.ports import free_port
from orderflow_contracts import names
from orderflow_hosting.dapr_app import DRAIN_SECONDS
from orderflow_hosting.health import health_router
from orderflow_hosting.process import HTTP_GRACE_SECONDS
from orderflow_hosting.settings import ServiceSettings

ROOT: Final = Path(__file__).resolve().parents[1]
PROBE: Final = Path(__file__).with_name("edge_probe.py")
INJECTED: Final = {"DAPR_HTTP_PORT", "DAPR_GRPC_PORT"}
"""The variables that Dapr's injector sets in a service's container."""

STOP_SECONDS: Final = DRAIN_SECONDS + HTTP_GRACE_SECONDS
"""How long a service may take to finish its work when it is asked to stop."""

TOPICS: Final = {
    constant: value
    for constant, value in vars(names).items()
    if constant.isupper() and isinstance(value, str) and "." in value
}
"""The topics, by the constant that names each in code."""


@dataclass(frozen=True)
class Edge:
    """What a service registers with its sidecar, and its routes."""

    methods: dict[str, list[str] | None]
    """The callers that each method admits; None for a method that admits all."""
    subscriptions: dict[str, str | None]
    """The dead-letter topic of each subscription; a dead-letter topic has none itself."""
    routes: dict[str, str]
    """The kind, role and action of each route's guard, by method and path; or `public`."""


@cache
def settings_class(app_id: str) -> type[ServiceSettings]:
    """Return the class of a service's settings, which its module `config` defines."""
    module = importlib.import_module(f"{app_id}.config")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, ServiceSettings)
        and value.__module__ == module.__name__
    )
    return found


def variables(app_id: str) -> set[str]:
    """Return the names of all environment variables that a service reads."""
    settings = settings_class(app_id)
    prefix = settings.model_config["env_prefix"]
    return {
        str(field.validation_alias or f"{prefix}{name.upper()}")
        for name, field in settings.model_fields.items()
    }


def health_paths() -> set[str]:
    """Return the paths at which every service reports its health."""
    return {str(getattr(route, "path", "")) for route in health_router({}).routes}


def topics_named(app_id: str) -> set[str]:
    """Return the topics that a service's source names."""
    sources = (ROOT / "services" / app_id / "src").rglob("*.py")
    words = {word for path in sources for word in re.findall(r"\b[A-Z_]+\b", path.read_text())}
    return {topic for constant, topic in TOPICS.items() if constant in words}


@cache
def edge_of(app_id: str) -> Edge:
    """Run a service's wiring in a separate process, and return what it registers."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, **_environment(app_id, Path(folder))}
        if names.SERVICES[app_id].has_tables:
            _run(["-m", app_id, "migrate"], environment)
        printed = _run([str(PROBE), app_id], environment)
    return Edge(**json.loads(printed.splitlines()[-1]))


def _run(arguments: list[str], environment: dict[str, str]) -> str:
    outcome = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def _environment(app_id: str, folder: Path) -> dict[str, str]:
    own = {
        "HTTP_PORT": str(free_port()),
        "GRPC_PORT": str(free_port()),
        "DATABASE_URL": f"sqlite:///{folder / app_id}.db",
    }
    prefixed = {f"{app_id.upper()}_{name}": value for name, value in own.items()}
    return {
        **{name: value for name, value in prefixed.items() if name in variables(app_id)},
        "APP_API_TOKEN": "a-token-that-opens-nothing",
        **{name: str(free_port()) for name in INJECTED},
    }
