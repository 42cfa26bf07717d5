"""The page of settings: what the services, the command and the platform read."""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

from pydantic import BaseModel

from orderflow_contracts import variables
from orderflow_contracts.names import LOCAL_PORTS
from orderflow_hosting.settings import ServiceSettings, variable_of
from reference_pages.markdown import code, page, table
from reference_pages.schemas import type_of


def _settings_of(service: str) -> type[ServiceSettings]:
    """Return the class of a service's settings, the only one of its kind in its `config.py`."""
    config = import_module(f"{service}.config")
    own = (
        each for each in vars(config).values() if getattr(each, "__module__", "") == config.__name__
    )
    (settings,) = (
        each for each in own if isinstance(each, type) and issubclass(each, ServiceSettings)
    )
    return settings


SERVICES: Final = {service: _settings_of(service) for service in LOCAL_PORTS}

INTRODUCTION: Final = """\
Every program reads its environment once, when it starts. If a variable is missing, wrong or
unknown, a service exits with code 78 and prints one line for each such variable.

Write a list with commas or as JSON, and an object as JSON. Write a duration as a number of seconds
(of hours, if the variable ends in `_HOURS`) or with a unit: `90s`, `24h`, `1 day`.
[Configure](../how-to/configure.md) shows how to set variables."""

KINDS: Final = {
    "_SECONDS": "duration",
    "_HOURS": "duration",
    "_HOST": "host or address",
    "_HEADER": "name of a header",
    "_URL": "URL",
}

CLIENTS: Final = {
    **{
        variable: f"The URL of {service}. Default: its port on loopback."
        for service in SERVICES
        if (variable := f"ORDERFLOW_{service.upper()}_URL") in variables.FOR_CLIENTS
    },
    "ORDERFLOW_SIDECAR_URL": "The URL of the orders sidecar, through which events are published.",
    "ORDERFLOW_TOKEN": "The token that the command sends.",
    "ORDERFLOW_TOKEN_FILE": "The file that contains the token. Default: `.orderflow/token`.",
    "SSL_CERT_FILE": "A file of additional certificate authorities to trust.",
    "SSL_CERT_DIR": "A folder of additional certificate authorities to trust.",
}

TOOLS: Final = {
    "ORDERFLOW_HOME": "The folder of a run. Default: `.orderflow` in the checkout.",
    "ORDERFLOW_PORT_OFFSET": "A number that is added to every default port.",
    "ORDERFLOW_POSTGRES_URL": "A PostgreSQL server for tables and stock, instead of SQLite.",
    "ORDERFLOW_BROKER": "The broker for events: `redis` (default), `rabbitmq` or `kafka`.",
    "ORDERFLOW_INVENTORY_STORE": "Set by `make run` for Dapr: the connection of the stock ledger.",
    "ORDERFLOW_BROWSER": "The Chromium that the browser tests use.",
    "ORDERFLOW_KUBECTL": "The kubectl that the tests of the manifests use.",
    "ORDERFLOW_SCREENSHOTS": "The folder for the screenshots that a browser test takes.",
    "DAPR": "`installed`: run whatever version of Dapr is installed, tested or not.",
    "DAPR_RUNTIME_PATH": "The folder whose `.dapr/bin` holds an installed Dapr. Default: home.",
    "XDG_CACHE_HOME": "The folder for caches; Dapr and Kafka are in its folder `orderflow`.",
}


def settings_page() -> str:
    """Write the page; raises LookupError where a shared variable has no description."""
    _require_descriptions()
    return page(
        "Settings",
        INTRODUCTION,
        "## Every service",
        _table(ServiceSettings, shared=True),
        *_own_settings(),
        "## The `orderflow` command",
        table(("Variable", "Meaning"), ((code(name), text) for name, text in CLIENTS.items())),
        "## `make` and the local platform",
        table(("Variable", "Meaning"), ((code(name), text) for name, text in TOOLS.items())),
        "[Ports](ports.md) lists the variables that each set one port.",
    )


def _own_settings() -> Iterator[str]:
    for name, settings in SERVICES.items():
        yield f"## {name.capitalize()}"
        yield _table(settings, shared=False)


def _table(settings: type[ServiceSettings], *, shared: bool) -> str:
    schema = settings.model_json_schema()["properties"]
    rows = []
    for name, field in settings.model_fields.items():
        if (field.validation_alias is not None) == shared:
            variable = variable_of(settings, name, {})
            value = _value(variable, schema[str(field.validation_alias or name)])
            rows.append((code(variable), value, _default(name, settings), _meaning(name, settings)))
    return table(("Variable", "Value", "Default", "Meaning"), rows)


def _value(variable: str, schema: dict[str, Any]) -> str:
    for ending, kind in KINDS.items():
        if variable.endswith(ending):
            return kind
    return type_of(schema).replace(" or null", "")


def _default(name: str, settings: type[ServiceSettings]) -> str:
    field = settings.model_fields[name]
    if field.is_required():
        ports = {str(each.model_fields[name].default) for each in SERVICES.values()}
        is_fixed = "PydanticUndefined" in ports
        return "required" if is_fixed else ", ".join(map(code, sorted(ports)))
    default = field.get_default(call_default_factory=True)
    if default is None or default in ((), {}):
        return ""
    dumped = settings.model_construct(**{name: default}).model_dump(mode="json", include={name})
    value = dumped[name]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_list_of_texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
    if is_list_of_texts:
        return code(",".join(value))
    return code(value if isinstance(value, str) else json.dumps(value))


def _meaning(name: str, settings: type[ServiceSettings]) -> str:
    """Return the docstring of a setting: its own, or that of the class that it overrides."""
    parents = [parent for parent in settings.__mro__ if issubclass(parent, BaseModel)]
    fields = (parent.model_fields.get(name) for parent in parents)
    if text := next((field.description for field in fields if field and field.description), ""):
        return text
    raise LookupError(f"{settings.__name__}.{name} has no docstring: write one beneath it")


def _require_descriptions() -> None:
    ports = {name for name in variables.FOR_TOOLS if name.endswith("_PORT")}
    missing = (variables.FOR_CLIENTS | variables.FOR_TOOLS) - ports - set(CLIENTS) - set(TOOLS)
    if missing:
        raise LookupError(f"describe {sorted(missing)} in {__name__}")
