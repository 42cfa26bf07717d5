"""The files that Dapr reads: the root dapr.yaml, or a copy for other ports and folders."""

import secrets
import shlex
from pathlib import Path
from typing import Any, Final

import yaml

from orderflow_contracts.names import INVENTORY_STORE, PUBSUB
from orderflow_tools.brokers.chosen import broker_of
from orderflow_tools.brokers.redis import Redis
from orderflow_tools.databases import inventory_store
from orderflow_tools.ports import LOOPBACK
from orderflow_tools.private_files import write_private
from orderflow_tools.settings import Settings
from orderflow_tools.toolchain.dapr import Runtime

SHIM: Final = """\
#!/bin/sh
# Written at each start. `dapr run` takes this script for daprd. It keeps the real daprd alive and
# lets it listen on loopback only.
app=
previous=
for argument; do
    [ "$previous" = --app-id ] && app=$argument
    option=$previous
    previous=$argument
    # daprd reads these as CSV, where a path with a comma or a quote must be quoted. The Dapr CLI
    # reads them from daprd's command line unparsed, so no other path is quoted.
    case "$option $argument" in
        --config\\ *[\\",]* | --resources-path\\ *[\\",]*)
            argument=\\"$(printf %s "$argument" | sed 's/"/""/g')\\"
            ;;
    esac
    set -- "$@" "$argument"
    shift
done
[ -n "$app" ] || exec {daprd} "$@"
export DAPR_HOST_IP={loopback}
exec {keep_alive} "$app-daprd" --home {home} --directory "$PWD" --grace 8 -- {daprd} "$@" \\
    --dapr-internal-grpc-listen-address {loopback} --metrics-listen-address {loopback}
"""


def keep_alive(settings: Settings) -> Path:
    """Return the program that keeps a command alive."""
    return settings.root / "tools" / "keep-alive"


def write_runtime_folder(settings: Settings, runtime: Runtime) -> Path:
    """Write the folder for DAPR_RUNTIME_PATH, with a shim that `dapr run` takes for daprd."""
    folder = settings.run / "runtime"
    shim = folder / ".dapr" / "bin" / "daprd"
    shim.parent.mkdir(parents=True, exist_ok=True)
    text = SHIM.format(
        daprd=shlex.quote(str(runtime.daprd)),
        keep_alive=shlex.quote(str(keep_alive(settings))),
        home=shlex.quote(str(settings.home)),
        loopback=LOOPBACK,
    )
    shim.unlink(missing_ok=True)
    shim.write_text(text)
    shim.chmod(0o755)
    return folder


def write_token(settings: Settings) -> str:
    """Create the token of this run, which lets only the sidecars use the gRPC ports."""
    token = secrets.token_urlsafe(32)
    write_private(settings.run / "app-token", token)
    return token


def run_file(settings: Settings) -> Path:
    """Return the file for `dapr run -f`; write it for a run with its own ports or folder."""
    if settings.is_default:
        return settings.root / "dapr.yaml"
    components = settings.run / "components"
    components.mkdir(parents=True, exist_ok=True)
    for source in sorted((settings.root / "components").glob("*.yaml")):
        document = yaml.safe_load(source.read_text(encoding="utf-8"))
        if source.stem == INVENTORY_STORE and settings.databases is not None:
            document = inventory_store()
        server = broker_of(settings) if source.stem == PUBSUB else Redis(settings)
        _write(components / source.name, server.component(document))
    template = yaml.safe_load((settings.root / "dapr.yaml").read_text(encoding="utf-8"))
    target = settings.run / "dapr.yaml"
    _write(target, render(template, settings, components))
    return target


def render(template: dict[str, Any], settings: Settings, components: Path) -> dict[str, Any]:
    """Return the run file: the template with this run's ports and folders."""
    control = settings.ports.control
    common = {
        **template["common"],
        "resourcesPath": str(components),
        "configFilePath": str(components / "configuration.yaml"),
        "placementHostAddress": f"{LOOPBACK}:{control.placement}",
        "schedulerHostAddress": f"{LOOPBACK}:{control.scheduler}",
    }
    apps = [_render_app(app, settings) for app in template["apps"]]
    return {**template, "common": common, "apps": apps}


def _render_app(app: dict[str, Any], settings: Settings) -> dict[str, Any]:
    name = app["appID"]
    ports = settings.ports.apps[name]
    supervised = [str(keep_alive(settings)), name, "--home", str(settings.home)]
    return {
        **app,
        "appDirPath": str(settings.home),
        "appPort": ports.grpc,
        "daprHTTPPort": ports.dapr_http,
        "daprGRPCPort": ports.dapr_grpc,
        "daprInternalGRPCPort": ports.dapr_internal_grpc,
        "metricsPort": ports.dapr_metrics,
        "command": [
            *supervised,
            *("--directory", str(settings.root), "--", settings.python, "-m", name),
        ],
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    # A component may contain a password.
    write_private(path, yaml.safe_dump(document, sort_keys=False))
