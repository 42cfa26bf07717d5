"""Commands for developing Orderflow: benchmarks, a test cluster, stand-in images."""

import argparse
import sys
from collections.abc import Sequence

from orderflow_cli.terminal import safe_streams
from orderflow_lab import generated
from orderflow_lab.bench.main import add_options, bench
from orderflow_lab.browser import find_browser
from orderflow_lab.cluster.commands import add_commands as add_cluster
from orderflow_lab.images import build_images_anywhere
from orderflow_lab.vendor import vendor
from orderflow_tools.commands.command_line import add_command, execute
from orderflow_tools.console import print_line
from orderflow_tools.containers.engines import KINDS, open_engine
from orderflow_tools.settings import Settings


@safe_streams(output_is_optional=True)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="orderflow-lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    purpose = "Kubernetes with Dapr on this machine"
    add_cluster(commands.add_parser("cluster", help=purpose, description=purpose))
    images_parser = add_command(
        commands, "images", "build the images of the services, even without a registry", images
    )
    images_parser.add_argument("--engine", choices=KINDS, help="default: the first one found")
    bench_parser = add_command(
        commands, "bench", "measure what an order costs, on a platform of its own", bench
    )
    add_options(bench_parser)
    add_command(commands, "browser", "find the browser for the tests, or install it", browser)
    add_command(
        commands, "generate", "write the files that follow from the declared services", generate
    )
    add_command(commands, "vendor", "copy the pinned npm files into the project", vendored)
    return execute(parser, arguments)


def images(_settings: Settings, options: argparse.Namespace) -> int:
    """Build the images of the services, on a stand-in for their base if need be."""
    with open_engine(options.engine) as engine:
        build_images_anywhere(engine)
    return 0


def browser(_settings: Settings, _options: argparse.Namespace) -> int:
    """Find the browser that tests use, or install Debian's."""
    print_line(f"Browser: {find_browser()}")
    return 0


def generate(settings: Settings, _options: argparse.Namespace) -> int:
    """Write the files that follow from the declarations of the services, and list them."""
    for path in generated.write(settings.root):
        print_line(f"{path}")
    return 0


def vendored(settings: Settings, _options: argparse.Namespace) -> int:
    """Copy the files of pinned npm packages that pages and tests use into the project."""
    vendor(settings.root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
