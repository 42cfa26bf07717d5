"""The command `deploy`: the local overlay on a cluster of the user's own."""

import argparse

from orderflow_contracts.names import APPROVALS, LOCAL_PORTS, ORDERS
from orderflow_tools.commands.command_line import confirmed
from orderflow_tools.console import print_line, step
from orderflow_tools.deployment import secrets
from orderflow_tools.deployment.client import Client
from orderflow_tools.deployment.deploy import deploy
from orderflow_tools.deployment.kubectl import find_kubectl
from orderflow_tools.settings import Settings


def deploy_local(settings: Settings, options: argparse.Namespace) -> int:
    """Deploy the local overlay to the cluster that kubectl points to."""
    return deploy_to_current(settings, options, Client(find_kubectl()))


def deploy_to_current(settings: Settings, options: argparse.Namespace, client: Client) -> int:
    """Deploy the local overlay to the client's current context, after asking."""
    context = client.run("config", "current-context").strip()
    if not options.yes and not confirmed(
        f"Deploy to kubectl's current context {context!r}? [y/N] "
    ):
        print_line("Nothing was deployed.")
        return 1
    deploy(settings.root, client, step=step)
    print_line("Deployed. Nothing is reachable from outside the cluster; to reach it yourself:")
    for app, what in ((ORDERS, "board"), (APPROVALS, "inbox")):
        port = LOCAL_PORTS[app].http
        forward = f"kubectl -n {secrets.NAMESPACE} port-forward service/{app} {port}"
        print_line(f"  {what:<8} {forward}, then http://127.0.0.1:{port}/")
    print_sign_in()
    return 0


def print_sign_in() -> None:
    """Print where the first user's password and token are, but neither of the two."""
    get = f"kubectl -n {secrets.NAMESPACE} get secret {secrets.FIRST_USER} -o go-template="
    print_line(f"  name     {get}'{{{{.data.name|base64decode}}}}'")
    print_line(f"  password {get}'{{{{.data.password|base64decode}}}}'")
    print_line(f"  token    export ORDERFLOW_TOKEN=$({get}'{{{{.data.token|base64decode}}}}')")
