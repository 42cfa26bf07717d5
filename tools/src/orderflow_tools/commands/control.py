"""`stop`, `status` and `reset`: the commands for a run from another terminal."""

import argparse
import shutil
from typing import Final

import psutil

from orderflow_tools import first_user, readiness, run_state
from orderflow_tools.commands.command_line import confirmed
from orderflow_tools.console import print_error, print_line
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings
from orderflow_tools.supervision import processes

STOP_TIMEOUT: Final = 90.0


def stop(settings: Settings, _options: argparse.Namespace) -> int:
    """Stop what another process started in this folder."""
    runner = run_state.holder(settings)
    if runner is None and not processes.running(settings):
        print_line(f"Nothing is running in {settings.home}.")
        return 0
    if runner is not None:
        runner.terminate()  # before printing, which may fail when nobody reads it
        print_line(f"Stopping Orderflow (process {runner.pid}) …")
        try:
            runner.wait(STOP_TIMEOUT)
        except psutil.TimeoutExpired:
            print_error(f"Process {runner.pid} did not end within {STOP_TIMEOUT:.0f} s.")
    processes.stop_all(settings)
    print_line("Stopped. The data was kept: `make run` continues with it, `make reset` removes it.")
    return 0


def status(settings: Settings, _options: argparse.Namespace) -> int:
    """Show each process and each check; the exit code is 0 when everything is ready."""
    if not processes.running(settings):
        print_line(f"Orderflow is not running in {settings.home}. `make run` starts it.")
        return 1
    for name in processes.NAMES:
        pid = processes.pid_of(settings, name)
        if name in processes.OF_SOME_BROKERS and not pid:
            continue
        print_line(f"  {name:<18} {f'process {pid}' if pid else 'not running'}")
    reasons = 0
    with readiness.client() as client:
        for check in readiness.all_checks(settings, client):
            reason = check.ask()
            reasons += reason is not None
            print_line(f"  {check.title:<44} {reason or 'ready'}")
    for line in first_user.sign_in(settings):
        print_line(line)
    print_line(f"Logs: {settings.logs}")
    return 1 if reasons else 0


def reset(settings: Settings, options: argparse.Namespace) -> int:
    """Remove the data of the local run: orders, stock, approvals, the broker's and Dapr's."""
    if run_state.holder(settings) or processes.running(settings):
        raise PlatformError("Orderflow is running: `make stop` first, then `make reset`.")
    if not settings.data.exists() or not any(settings.data.iterdir()):
        print_line(f"There is no data in {settings.data}.")
        return 0
    if not options.yes and not confirmed(f"Remove all data in {settings.data}? [y/N] "):
        print_line("Nothing was removed.")
        return 1
    shutil.rmtree(settings.data)
    settings.data.mkdir()
    print_line(
        "The data was removed. The next run starts with the opening stock and no orders. Users and "
        "tokens were kept: `orderflow users` and `orderflow tokens` change them."
    )
    return 0
