"""Which run a supervisor belongs to."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psutil
import pytest

from orderflow_tools.supervision.ownership import home_of


def process(*words: str, **environment: str) -> psutil.Process:
    """Return a process with this command line and environment, as psutil would describe it."""
    seen = SimpleNamespace(cmdline=lambda: list(words), environ=lambda: environment)
    return cast(psutil.Process, seen)


@pytest.mark.parametrize("folder", ["supervision/", ""])
def test_a_supervisor_works_for_its_checkout_by_default(folder: str) -> None:
    """Earlier versions had the script in another folder, and may still run after an update."""
    script = f"/home/me/shop/tools/src/orderflow_tools/{folder}keep_alive.py"

    assert home_of(process("python", script, "orders")) == Path("/home/me/shop/.orderflow")


def test_an_option_and_a_variable_name_another_folder() -> None:
    """The option takes precedence, but not one of the supervised command."""
    script = "/home/me/shop/tools/src/orderflow_tools/supervision/keep_alive.py"
    command = ("python", script, "orders")

    assert home_of(process(*command, ORDERFLOW_HOME="/var/shop")) == Path("/var/shop")
    with_option = process(*command, "--home", "/srv/shop", ORDERFLOW_HOME="/var/shop")
    assert home_of(with_option) == Path("/srv/shop")
    of_command = process(*command, "--", "serve", "--home", "/srv/shop", ORDERFLOW_HOME="/var/shop")
    assert home_of(of_command) == Path("/var/shop")


def test_other_processes_belong_to_no_run() -> None:
    """Only supervisors are looked at."""
    assert home_of(process("python", "-m", "orders", "--home", "/srv/shop")) is None
