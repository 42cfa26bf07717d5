"""The commands behind `make run`, `stop`, `status`, `reset`, `images` and the cluster's."""

import argparse
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Final

import psutil

from orderflow_cli.terminal import safe_streams
from orderflow_contracts.names import APPROVALS, ORDERS
from orderflow_tools import first_user, kept, readiness, run_state
from orderflow_tools.broker import find_broker
from orderflow_tools.browser import find_browser
from orderflow_tools.cluster.commands import add_commands as add_cluster
from orderflow_tools.console import complain, say, step
from orderflow_tools.engine import KINDS, open_engine
from orderflow_tools.errors import PlatformError
from orderflow_tools.first_orders import FirstOrders, show_first_orders
from orderflow_tools.images import build_images
from orderflow_tools.keep_alive import stop_signals
from orderflow_tools.platform import Platform
from orderflow_tools.ports import Ports
from orderflow_tools.settings import ACCESS_FILE, Settings
from orderflow_tools.terminal import foreground
from orderflow_tools.toolchain import find_runtime
from orderflow_tools.vendor import vendor

STOP_TIMEOUT: Final = 90.0
STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED: Final = 130
"""The exit code of a command that was told to end before its end, as shells have it."""


class Stopped(BaseException):
    """The user, or the system, has asked this process to end."""


@safe_streams(output_is_optional=True)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="orderflow-tools", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run_parser = _add(commands, "run", "start everything and keep running until Ctrl-C", run)
    how_far = run_parser.add_mutually_exclusive_group()
    how_far.add_argument("--no-orders", action="store_true", help="do not publish first orders")
    how_far.add_argument(
        "--until-first-orders",
        action="store_true",
        help="stop after the first orders; fail if they do not go through",
    )
    _add(commands, "stop", "stop what `run` started", stop)
    _add(commands, "status", "say what runs and whether it is ready", status)
    reset_parser = _add(commands, "reset", "remove the data, after asking", reset)
    reset_parser.add_argument("--yes", action="store_true", help="do not ask")
    _add(commands, "toolchain", "find Dapr, or build it", toolchain)
    cluster_purpose = "Kubernetes with Dapr on this machine"
    add_cluster(commands.add_parser("cluster", help=cluster_purpose, description=cluster_purpose))
    images_parser = _add(commands, "images", "build the images of the services", images)
    images_parser.add_argument("--engine", choices=KINDS, help="by which engine; else the first")
    _add(commands, "browser", "find the browser for the tests of the pages, or install it", browser)
    _add(commands, "vendor", "copy what the pages load from npm into the project", vendored)
    options = parser.parse_args(arguments)
    _raise_on_signals()
    command: Callable[[Settings, argparse.Namespace], int] = options.command
    try:
        return command(Settings.from_environment(), options)
    except PlatformError as error:
        complain(f"\n{error}")
        return 1
    except Stopped:
        # Ctrl-C is how `run` is meant to end; what else is stopped has not done what it should.
        is_done = command is run and not options.until_first_orders
        return 0 if is_done else INTERRUPTED


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Start everything, show two orders, and keep running until told to stop."""
    with foreground():
        return _run(settings, options)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    run_state.check_free(settings)
    begun = time.monotonic()
    platform = Platform(settings, step=step)
    say(f"Dapr:   {platform.runtime.origin}")
    say(f"Broker: {find_broker()}")
    say("Starting:")
    try:
        try:
            platform.start()
            say(f"Everything is ready after {time.monotonic() - begun:.1f} s.")
            first = None if options.no_orders else _publish_first_orders(settings)
            if first and options.until_first_orders:
                return _outcome(first)
            say()
            for line in first_user.sign_in(settings, platform.made_password):
                say(line)
            _say_what_next(settings, first.waiting if first else None)
            _watch(platform)
        finally:
            _ignore_signals()
    finally:
        if platform.started:
            say("\nStopping …")
        killed = platform.stop()
        for name in killed:
            complain(f"{name} did not end and was killed")
    return 0


def stop(settings: Settings, _options: argparse.Namespace) -> int:
    """Stop what another process started in this folder."""
    runner = run_state.holder(settings)
    if runner is None and not kept.running(settings):
        say(f"Nothing runs in {settings.home}.")
        return 0
    if runner is not None:
        runner.terminate()  # before it is said: that nobody reads it must not keep it from ending
        say(f"Stopping Orderflow (process {runner.pid}) …")
        try:
            runner.wait(STOP_TIMEOUT)
        except psutil.TimeoutExpired:
            complain(f"Process {runner.pid} did not end within {STOP_TIMEOUT:.0f} s.")
    kept.stop_all(settings)
    say("Stopped. The data is kept; `make run` goes on with it, `make reset` removes it.")
    return 0


def status(settings: Settings, _options: argparse.Namespace) -> int:
    """Show each process and each check; the exit code is 0 when all is ready."""
    if not kept.running(settings):
        say(f"Orderflow does not run in {settings.home}. `make run` starts it.")
        return 1
    for name in kept.NAMES:
        pid = kept.pid_of(settings, name)
        say(f"  {name:<18} {f'process {pid}' if pid else 'not running'}")
    reasons = 0
    with readiness.client() as client:
        for check in readiness.all_checks(settings, client):
            reason = check.ask()
            reasons += reason is not None
            say(f"  {check.title:<44} {reason or 'ready'}")
    for line in first_user.sign_in(settings):
        say(line)
    say(f"Logs: {settings.logs}")
    return 1 if reasons else 0


def reset(settings: Settings, options: argparse.Namespace) -> int:
    """Remove the data of the local run: orders, stock, approvals, the broker's and Dapr's."""
    if run_state.holder(settings) or kept.running(settings):
        raise PlatformError("Orderflow is running: `make stop` first, then `make reset`.")
    if not settings.data.exists() or not any(settings.data.iterdir()):
        say(f"There is no data in {settings.data}.")
        return 0
    if not options.yes and not _confirmed(f"Remove all data in {settings.data}? [y/N] "):
        say("Nothing was removed.")
        return 1
    shutil.rmtree(settings.data)
    settings.data.mkdir()
    say(
        "The data is removed; the next run begins with the opening stock and no orders. Users and "
        "tokens stay: `orderflow users` and `orderflow tokens` change them."
    )
    return 0


def toolchain(settings: Settings, _options: argparse.Namespace) -> int:
    """Find Dapr on this machine, or build it."""
    say(f"Dapr: {find_runtime(settings.root).origin}")
    return 0


def images(_settings: Settings, options: argparse.Namespace) -> int:
    """Build the images of the services, by an engine of the machine or of our own."""
    with open_engine(options.engine) as engine:
        build_images(engine)
    return 0


def browser(_settings: Settings, _options: argparse.Namespace) -> int:
    """Find the browser that the pages are tested in, or install Debian's."""
    say(f"Browser: {find_browser()}")
    return 0


def vendored(settings: Settings, _options: argparse.Namespace) -> int:
    """Copy the pinned packages that the pages load in a browser into the project."""
    vendor(settings.root)
    return 0


def _outcome(first: FirstOrders) -> int:
    """Say whether the first orders went through, and return the exit code."""
    if first.went_through:
        say("\nThe first orders went through.")
        return 0
    complain("\nThe first orders did not go through: see the reasons above.")
    return 1


def _publish_first_orders(settings: Settings) -> FirstOrders:
    say("\nThe first orders, published as events:")
    return show_first_orders(settings)


def _say_what_next(settings: Settings, waiting: str | None) -> None:
    command = ".venv/bin/orderflow"
    order = '{"order_id": "my-1", "customer_id": "me", "item": "paperclip", "quantity": 3}'
    say("\nWhat next, from another terminal:")
    if moved := _moved_by(os.environ):
        say(f"  first               export {moved}")
    say(f"  publish an order    echo '{order}' | {command} publish -")
    say(f"  watch it            {command} order my-1 --watch")
    if waiting:
        say(f"  approve the other   {command} approve {waiting}")
    say("  order by hand       make console")
    say(
        f"  HTTP                orders {settings.url(ORDERS)}/docs, approvals "
        f"{settings.url(APPROVALS)}/approvals"
    )
    say(f"  logs                {settings.logs}")
    say("  status, stop        make status, make stop; or Ctrl-C here\n")


def _moved_by(environment: Mapping[str, str]) -> str:
    """Return the variables that move this run, as another terminal must set them too."""
    movable = {variable for variable, _ in Ports.from_environment({}).by_variable()}
    return " ".join(
        f"{name}={shlex.quote(value)}"
        for name, value in sorted(environment.items())
        if name in {"ORDERFLOW_HOME", "ORDERFLOW_PORT_OFFSET", ACCESS_FILE} or name in movable
    )


def _watch(platform: Platform) -> None:
    """Report what dies and is started again, until this process is told to stop."""
    while platform.is_running:
        for report in platform.reports():
            say(f"{report.name} {report.text} ({platform.log(report.name)})")
            if report.tail:
                say(report.tail)
        time.sleep(0.3)
    raise PlatformError("All processes of this run were stopped by someone else.")


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    purpose: str,
    command: Callable[[Settings, argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=purpose, description=purpose)
    parser.set_defaults(command=command)
    return parser


def _confirmed(question: str) -> bool:
    try:
        return input(question).strip().lower() in {"y", "yes"}
    except EOFError:
        say()
        return False


def _raise_on_signals() -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        _ignore_signals()  # what the first one has begun must not be interrupted by the next
        raise Stopped

    for number in stop_signals():
        signal.signal(number, end)


def _ignore_signals() -> None:
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
