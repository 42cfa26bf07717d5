"""`run`: starts the platform, places two orders, and watches until it is stopped."""

import argparse
import os
import shlex
import time
from collections.abc import Mapping

from orderflow_contracts.names import APPROVALS, ORDERS
from orderflow_tools import first_user, run_state
from orderflow_tools.brokers.chosen import broker_of
from orderflow_tools.commands.command_line import INTERRUPTED, Stopped, ignore_signals
from orderflow_tools.console import print_error, print_line, step
from orderflow_tools.errors import PlatformError
from orderflow_tools.first_orders import FirstOrders, show_first_orders
from orderflow_tools.platform import Platform
from orderflow_tools.ports import Ports
from orderflow_tools.settings import ACCESS_FILE, Settings
from orderflow_tools.terminal import foreground


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Start everything, place two orders, and keep running until stopped."""
    try:
        with foreground():
            return _run(settings, options)
    except Stopped:
        # Ctrl-C is the normal end of a run, unless the run was to wait for the first orders.
        return INTERRUPTED if options.until_first_orders else 0


def _run(settings: Settings, options: argparse.Namespace) -> int:
    run_state.check_free(settings)
    begun = time.monotonic()
    platform = Platform(settings, step=step)
    print_line(f"Dapr:   {platform.runtime.origin}")
    print_line(f"Broker: {broker_of(settings).find()}")
    print_line("Starting:")
    try:
        try:
            platform.start()
            print_line(f"Everything is ready after {time.monotonic() - begun:.1f} s.")
            first = None if options.no_orders else _publish_first_orders(settings)
            if first and options.until_first_orders:
                return _outcome(first)
            print_line()
            for line in first_user.sign_in(settings, platform.made_password):
                print_line(line)
            _print_next_steps(settings, first.waiting if first else None)
            _watch(platform)
        finally:
            ignore_signals()
    finally:
        _stop(platform)
    return 0


def _stop(platform: Platform) -> None:
    if platform.started:
        print_line("\nStopping …")
    for name in platform.stop():
        print_error(f"{name} did not end and was killed")


def _outcome(first: FirstOrders) -> int:
    """Report whether the first orders succeeded, and return the exit code."""
    if first.succeeded:
        print_line("\nThe first orders succeeded.")
        return 0
    print_error("\nThe first orders failed: see the reasons above.")
    return 1


def _publish_first_orders(settings: Settings) -> FirstOrders:
    print_line("\nThe first orders, published as events:")
    return show_first_orders(settings)


def _print_next_steps(settings: Settings, waiting: str | None) -> None:
    command = ".venv/bin/orderflow"
    order = '{"order_id": "my-1", "customer_id": "me", "item": "paperclip", "quantity": 3}'
    print_line("\nNext steps, in another terminal:")
    if moved := _variables_of_run(os.environ):
        print_line(f"  set this first      export {moved}")
    print_line(f"  publish an order    echo '{order}' | {command} publish -")
    print_line(f"  follow it           {command} order my-1 --watch")
    if waiting:
        print_line(f"  approve an order    {command} approve {waiting}")
    print_line("  order interactively make console")
    print_line(
        f"  HTTP                orders {settings.url(ORDERS)}/docs, approvals "
        f"{settings.url(APPROVALS)}/approvals"
    )
    print_line(f"  logs                {settings.logs}")
    print_line("  status, stop        make status, make stop (or Ctrl-C here)\n")


def _variables_of_run(environment: Mapping[str, str]) -> str:
    """Return the variables that move this run, which another terminal must set too."""
    movable = {variable for variable, _ in Ports.from_environment({}).by_variable()}
    return " ".join(
        f"{name}={shlex.quote(value)}"
        for name, value in sorted(environment.items())
        if name in {"ORDERFLOW_HOME", "ORDERFLOW_PORT_OFFSET", ACCESS_FILE} or name in movable
    )


def _watch(platform: Platform) -> None:
    """Show each process that died and was started again, until this process is stopped."""
    while platform.is_running:
        for report in platform.reports():
            print_line(f"{report.name} {report.text} ({platform.log(report.name)})")
            if report.tail:
                print_line(report.tail)
            if (report.name, report.event) == ("broker", "restarted"):
                _resume(platform)
        time.sleep(0.3)
    raise PlatformError("All processes of this run were stopped by someone else.")


def _resume(platform: Platform) -> None:
    try:
        platform.resume_subscriptions()
    except PlatformError as error:
        print_error(str(error))  # the supervisors keep trying, and this process keeps watching
