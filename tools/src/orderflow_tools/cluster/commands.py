"""The commands behind `make cluster-up`, `cluster-down` and `deploy-local`."""

import argparse
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orderflow_contracts.names import APPROVALS, LOCAL_PORTS, ORDERS
from orderflow_tools.cluster import secrets
from orderflow_tools.cluster.api_only import ApiOnly
from orderflow_tools.cluster.client import Client
from orderflow_tools.cluster.cluster import Cluster
from orderflow_tools.cluster.deploy import deploy
from orderflow_tools.cluster.programs import find_kubectl
from orderflow_tools.cluster.services import load_services
from orderflow_tools.console import say, step
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import APPS, Settings

CHANGES: Final = """\
This makes a node of Kubernetes on this machine, as root: namespaces of its own, a network link with
routes to the cluster's addresses, control groups, and while it runs, three settings of the kernel
that a kubelet needs. `make cluster-down` undoes all of that. What Debian's packages it needs and
misses is installed, and stays."""
"""Said before anything is changed."""


def up(settings: Settings, options: argparse.Namespace) -> int:
    """Bring the cluster up, unless it is."""
    begun = time.monotonic()
    if options.api_only:
        api = ApiOnly(settings, step=step)
        api.up()
        say(f"The API server is ready after {time.monotonic() - begun:.1f} s. It has no node.")
        _say_how_to_use(api.client)
        return 0
    cluster = Cluster(settings, step=step)
    if cluster.ready:
        say("The cluster is up already.")
    else:
        say(CHANGES)
        cluster.up()
        say(f"The cluster is ready after {time.monotonic() - begun:.1f} s.")
    _say_how_to_use(cluster.client)
    say(f"  logs      {cluster.layout.logs}")
    say("  services  make deploy-local")
    say("  end       make cluster-down")
    return 0


def down(settings: Settings, _options: argparse.Namespace) -> int:
    """Take the cluster down, with all that it holds."""
    cluster, api = Cluster(settings), ApiOnly(settings)
    there = cluster.running or api.running
    api.down()
    cluster.down()
    if there:
        say(f"The cluster is gone with all its data. Its logs stay in {cluster.layout.logs}.")
    else:
        say(f"No cluster runs in {cluster.layout.home}.")
    return 0


def status(settings: Settings, _options: argparse.Namespace) -> int:
    """Show the cluster's pods; the exit code is 0 when the cluster answers."""
    cluster, api = Cluster(settings), ApiOnly(settings)
    if api.running:
        say("An API server without a node runs.")
        _say_how_to_use(api.client)
        return 0
    if not cluster.running:
        say(f"No cluster runs in {cluster.layout.home}. `make cluster-up` starts one.")
        return 1
    if not cluster.ready:
        say(f"The cluster runs, and is not ready. Its logs are in {cluster.layout.logs}.")
        return 1
    say(cluster.kubectl("get", "pods", "--all-namespaces").rstrip())
    _say_how_to_use(cluster.client)
    return 0


def load(settings: Settings, options: argparse.Namespace) -> int:
    """Give the cluster's node images, or show those that it has."""
    cluster = Cluster(settings)
    cluster.load_images(options.archives)
    for name in cluster.images():
        say(name)
    return 0


def kubectl(settings: Settings, options: argparse.Namespace) -> int:
    """Run kubectl on the cluster, or, where none runs, say where the program is."""
    if not options.arguments:
        say(str(find_kubectl(settings.root)))
        return 0
    clusters = [each for each in (Cluster(settings), ApiOnly(settings)) if each.running]
    if not clusters:
        raise PlatformError("No cluster runs: `make cluster-up` starts one.")
    client = clusters[0].client
    command = [client.program, *options.arguments]
    return subprocess.run(command, env=client.environment(), check=False).returncode


def deploy_local(settings: Settings, options: argparse.Namespace) -> int:
    """Deploy the local overlay, to this checkout's cluster or to the one that kubectl is set to."""
    cluster = Cluster(settings)
    if cluster.ready:
        load_services(cluster, step=step)
        deploy(settings.root, cluster.client, step=step)
        for app in APPS:
            say(f"  {app:<10} {cluster.url(app, LOCAL_PORTS[app].http)}")
        _say_how_to_sign_in()
        return 0
    client = Client(find_kubectl(settings.root))
    context = client.run("config", "current-context").strip()
    question = f"No cluster of this checkout runs. Deploy to {context!r}, as kubectl is set? [y/N] "
    if not options.yes and input(question).strip().lower() not in {"y", "yes"}:
        say("Nothing was deployed.")
        return 1
    deploy(settings.root, client, step=step)
    say("Deployed. Nothing is open to the outside; for you alone:")
    for app, what in ((ORDERS, "board"), (APPROVALS, "inbox")):
        port = LOCAL_PORTS[app].http
        forward = f"kubectl -n orderflow port-forward service/{app} {port}"
        say(f"  {what:<8} {forward}, then http://127.0.0.1:{port}/")
    _say_how_to_sign_in()
    return 0


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Give a parser the commands of a cluster."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, purpose: str, command: Callable[[Settings, argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=purpose, description=purpose)
        added.set_defaults(command=command)
        return added

    add("up", "bring up Kubernetes with Dapr on this machine, as root", up).add_argument(
        "--api-only", action="store_true", help="only what checks manifests: needs no root, no node"
    )
    add("down", "take it down, with all that it holds", down)
    add("status", "say whether it runs, and show its pods", status)
    images = add("images", "give the node images, or show those that it has", load)
    images.add_argument("archives", nargs="*", type=Path, help="written by `docker save`")
    asked = add("kubectl", "run kubectl on it; without arguments, say where kubectl is", kubectl)
    asked.add_argument("arguments", nargs=argparse.REMAINDER)
    deployed = add("deploy", "deploy the local overlay", deploy_local)
    deployed.add_argument("--yes", action="store_true", help="do not ask")


def _say_how_to_sign_in() -> None:
    """Tell where the first user's password and token are; they are shown to no screen here."""
    get = f"kubectl -n {secrets.NAMESPACE} get secret {secrets.FIRST_USER} -o go-template="
    say(f"  name     {get}'{{{{.data.name|base64decode}}}}'")
    say(f"  password {get}'{{{{.data.password|base64decode}}}}'")
    say(f"  token    export ORDERFLOW_TOKEN=$({get}'{{{{.data.token|base64decode}}}}')")


def _say_how_to_use(client: Client) -> None:
    say(f"  kubectl   {client.program}")
    say(f"            export KUBECONFIG={shlex.quote(str(client.kubeconfig))}")
