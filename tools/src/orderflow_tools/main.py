"""Starts, watches and stops the local platform, builds its images and deploys them."""

import argparse
import subprocess
import sys
from collections.abc import Sequence

from orderflow_cli.terminal import safe_streams
from orderflow_tools.commands.command_line import add_command, execute
from orderflow_tools.commands.control import reset, status, stop
from orderflow_tools.commands.run import run
from orderflow_tools.console import print_line
from orderflow_tools.containers.engines import KINDS, open_engine
from orderflow_tools.containers.images import build_images
from orderflow_tools.databases import WITH_TABLES
from orderflow_tools.deployment.command import deploy_local
from orderflow_tools.settings import Settings
from orderflow_tools.toolchain.dapr import find_runtime


@safe_streams(output_is_optional=True)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return execute(_parser(), arguments)


def migrate(settings: Settings, _options: argparse.Namespace) -> int:
    """Migrate the databases in the services' own settings; stop at the first that fails."""
    for app in WITH_TABLES:
        command = [settings.python, "-m", app, "migrate"]
        if code := subprocess.run(command, cwd=settings.root, check=False).returncode:
            return code
    return 0


def toolchain(settings: Settings, _options: argparse.Namespace) -> int:
    """Find Dapr on this machine, or build it."""
    print_line(f"Dapr: {find_runtime(settings.root).origin}")
    return 0


def images(_settings: Settings, options: argparse.Namespace) -> int:
    """Build the images of the services with a container engine."""
    with open_engine(options.engine) as engine:
        build_images(engine)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="orderflow-tools", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run_parser = add_command(commands, "run", "start everything and keep running until Ctrl-C", run)
    orders = run_parser.add_mutually_exclusive_group()
    orders.add_argument(
        "--no-orders", action="store_true", help="do not place the first two orders"
    )
    orders.add_argument(
        "--until-first-orders",
        action="store_true",
        help="stop after the first two orders; fail unless they succeed",
    )
    add_command(commands, "stop", "stop what `run` started", stop)
    add_command(commands, "status", "show what runs and whether it is ready", status)
    reset_parser = add_command(commands, "reset", "remove the data, after asking", reset)
    reset_parser.add_argument("--yes", action="store_true", help="do not ask")
    add_command(commands, "migrate", "migrate the databases, before `dapr run -f .`", migrate)
    add_command(commands, "toolchain", "find Dapr, or build it", toolchain)
    images_parser = add_command(commands, "images", "build the images of the services", images)
    images_parser.add_argument("--engine", choices=KINDS, help="default: the first one found")
    deploy_parser = add_command(
        commands,
        "deploy",
        "deploy to the cluster that kubectl points to, after asking",
        deploy_local,
    )
    deploy_parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


if __name__ == "__main__":
    sys.exit(main())
