"""What the local run repeats of the declarations: the apps, and the scopes of the components."""

from typing import Any, Final

import yaml

from orderflow_contracts.names import SERVICES, SIDECAR_RULES
from orderflow_tools.ports import AppPorts, default_app_ports

APPS: Final = "apps: # written by `make generate`\n"
SCOPES: Final = "scopes: # written by `make generate`\n"


def run_file(text: str) -> str:
    """Return the run file with an app for each service, at its end."""
    ports = default_app_ports()
    before, _, _ = text.partition(APPS)
    return before + APPS + "".join(_app(name, ports[name]) for name in SERVICES)


def _app(name: str, ports: AppPorts) -> str:
    command = f'"../tools/keep-alive", "{name}", "--directory", "..", "--"'
    return f"""\
  - appID: {name}
    appDirPath: .orderflow
    appPort: {ports.grpc}
    daprHTTPPort: {ports.dapr_http}
    daprGRPCPort: {ports.dapr_grpc}
    daprInternalGRPCPort: {ports.dapr_internal_grpc}
    metricsPort: {ports.dapr_metrics}
    command: [{command}, ".venv/bin/python", "-m", "{name}"]
"""


def scopes(text: str) -> str:
    """Return a component with the services that use it, at its end; anything else as it is."""
    document: dict[str, Any] = yaml.safe_load(text)
    if document["kind"] != "Component":
        return text
    before, _, _ = text.partition(f"\n{SCOPES}")
    component = document["metadata"]["name"]
    users = [
        name
        for name, service in SERVICES.items()
        if component in {*service.components, SIDECAR_RULES}
    ]
    return "\n".join([before.rstrip("\n"), SCOPES + "".join(f"  - {name}\n" for name in users)])
