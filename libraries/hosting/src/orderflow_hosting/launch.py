"""Starts the process of a service: what every service's `__main__` calls.

Only the standard library is imported before signals are handled: imports take a while, and PID 1 of
a container ignores signals without a handler.
"""

import os
import signal
import sys
from importlib import import_module


def launch(app_id: str) -> None:
    """Start the service: call `main` in its module `main`.

    With arguments, run a command for the schema of its database instead, if it has tables: `SCHEMA`
    in its module `tables`, at the address in the settings of its module `config`.
    """
    arguments = sys.argv[1:]
    # An interrupted migration has failed, and its exit code says so.
    signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number if arguments else 0))
    if arguments and import_module("orderflow_contracts.names").SERVICES[app_id].has_tables:
        _change_schema(app_id, arguments)
    else:
        import_module(f"{app_id}.main").main()


def _change_schema(app_id: str, arguments: list[str]) -> None:
    command = import_module("orderflow_hosting.migrations.command")
    schema = import_module(f"{app_id}.tables").SCHEMA
    config, name = import_module(f"{app_id}.config"), app_id.title()
    settings = getattr(config, f"{name}DatabaseSettings"), getattr(config, f"{name}Settings")
    command.run(arguments, schema, *settings)
