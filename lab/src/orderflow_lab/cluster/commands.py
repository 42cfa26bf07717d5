"""The commands `cluster …`, which `make cluster-up`, `cluster-down` and `deploy-local` call."""

import argparse
import shlex
import subprocess
import time
from pathlib import Path
from typing import Final

from orderflow_contracts.names import LOCAL_PORTS
from orderflow_lab.cluster.api_only import ApiOnly
from orderflow_lab.cluster.cluster import Cluster
from orderflow_lab.cluster.programs import find_kubectl
from orderflow_lab.cluster.services import load_services
from orderflow_tools.commands.command_line import Command, add_command
from orderflow_tools.console import print_line, step
from orderflow_tools.deployment.client import Client
from orderflow_tools.deployment.command import deploy_to_current, print_sign_in
from orderflow_tools.deployment.deploy import deploy
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import APPS, Settings

CHANGES: Final = """\
This creates a Kubernetes node on this machine, as root: its own namespaces, a network link with
routes to the cluster's addresses, control groups, and while it runs, three kernel settings that a
kubelet needs. `make cluster-down` undoes all of that. Missing Debian packages are installed, and
stay installed."""
"""Printed before anything is changed."""


def up(settings: Settings, options: argparse.Namespace) -> int:
    """Bring the cluster up, unless it is up already."""
    begun = time.monotonic()
    if options.api_only:
        api = ApiOnly(settings, step=step)
        api.up()
        print_line(
            f"The API server is ready after {time.monotonic() - begun:.1f} s. It has no node."
        )
        _print_kubeconfig(api.client)
        return 0
    cluster = Cluster(settings, step=step)
    if cluster.ready:
        print_line("The cluster is already up.")
    else:
        print_line(CHANGES)
        cluster.up()
        print_line(f"The cluster is ready after {time.monotonic() - begun:.1f} s.")
    _print_kubeconfig(cluster.client)
    print_line(f"  logs      {cluster.layout.logs}")
    print_line("  services  make deploy-local")
    print_line("  end       make cluster-down")
    return 0


def down(settings: Settings, _options: argparse.Namespace) -> int:
    """Take the cluster down and remove everything in it."""
    cluster, api = Cluster(settings), ApiOnly(settings)
    was_running = cluster.running or api.running
    api.down()
    cluster.down()
    if was_running:
        print_line(
            f"The cluster and its data were removed. Its logs were kept in {cluster.layout.logs}."
        )
    else:
        print_line(f"No cluster is running in {cluster.layout.home}.")
    return 0


def status(settings: Settings, _options: argparse.Namespace) -> int:
    """Show the cluster's pods; the exit code is 0 when the cluster answers."""
    cluster, api = Cluster(settings), ApiOnly(settings)
    if api.running:
        print_line("An API server without a node is running.")
        _print_kubeconfig(api.client)
        return 0
    if not cluster.running:
        print_line(f"No cluster is running in {cluster.layout.home}. `make cluster-up` starts one.")
        return 1
    if not cluster.ready:
        print_line(f"The cluster is running but not ready. Its logs are in {cluster.layout.logs}.")
        return 1
    print_line(cluster.kubectl("get", "pods", "--all-namespaces").rstrip())
    _print_kubeconfig(cluster.client)
    return 0


def load(settings: Settings, options: argparse.Namespace) -> int:
    """Load images into the cluster's node, and list the images that it has."""
    cluster = Cluster(settings)
    cluster.load_images(options.archives)
    for name in cluster.images():
        print_line(name)
    return 0


def kubectl(settings: Settings, options: argparse.Namespace) -> int:
    """Run kubectl on the cluster; without arguments, print the path of the program."""
    if not options.arguments:
        print_line(str(find_kubectl(settings.root)))
        return 0
    clusters = [each for each in (Cluster(settings), ApiOnly(settings)) if each.running]
    if not clusters:
        raise PlatformError("No cluster is running: `make cluster-up` starts one.")
    client = clusters[0].client
    command = [client.program, *options.arguments]
    return subprocess.run(command, env=client.environment(), check=False).returncode


def deploy_local(settings: Settings, options: argparse.Namespace) -> int:
    """Deploy the local overlay to this checkout's cluster, or else where kubectl points to."""
    cluster = Cluster(settings)
    if not cluster.ready:
        print_line("No cluster of this checkout is running.")
        return deploy_to_current(settings, options, Client(find_kubectl(settings.root)))
    load_services(cluster, step=step)
    deploy(settings.root, cluster.client, step=step)
    for app in APPS:
        print_line(f"  {app:<10} {cluster.url(app, LOCAL_PORTS[app].http)}")
    print_sign_in()
    return 0


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands of a cluster to a parser."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, purpose: str, command: Command) -> argparse.ArgumentParser:
        return add_command(commands, name, purpose, command)

    add("up", "bring up Kubernetes with Dapr on this machine, as root", up).add_argument(
        "--api-only",
        action="store_true",
        help="only an API server to check manifests; needs no root",
    )
    add("down", "take the cluster down and remove everything in it", down)
    add("status", "show whether the cluster is running, and its pods", status)
    images = add("images", "load images into the node, and list its images", load)
    images.add_argument("archives", nargs="*", type=Path, help="files written by `docker save`")
    kubectl_parser = add(
        "kubectl", "run kubectl on the cluster; without arguments, print its path", kubectl
    )
    kubectl_parser.add_argument("arguments", nargs=argparse.REMAINDER)
    deploy_parser = add("deploy", "deploy the local overlay", deploy_local)
    deploy_parser.add_argument("--yes", action="store_true", help="do not ask")


def _print_kubeconfig(client: Client) -> None:
    print_line(f"  kubectl   {client.program}")
    print_line(f"            export KUBECONFIG={shlex.quote(str(client.kubeconfig))}")
