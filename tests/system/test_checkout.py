"""A copy of the checkout, in a folder with a space in its name, used from the command line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from isolation import on_the_machine
from orderflow_tools.free_ports import free_block
from orderflow_tools.ports import Ports
from orderflow_tools.settings import find_checkout

LEFT_OUT = (".git", "__pycache__", "node_modules", ".*_cache", ".hypothesis")
OF_THE_CALLER = ("ORDERFLOW_", "ORDERS_", "INVENTORY_", "APPROVALS_", "MAKE", "MFLAGS")


def copied(target: Path) -> Path:
    """Copy this checkout without its environment, which works only where it was made.

    Its uv is copied, too, if it has one, so that it need not be fetched.
    """
    root = find_checkout()

    def left_out(folder: str, names: list[str]) -> set[str]:
        found = shutil.ignore_patterns(*LEFT_OUT)(folder, names)
        if Path(folder) == root / ".orderflow":
            found |= set(names) - {"uv"}
        if Path(folder) == root / ".venv":
            found |= {"lib", "lib64"}
        return found

    shutil.copytree(root, target, symlinks=True, ignore=left_out)
    return target


def make(checkout: Path, ports: Ports, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in the copy, without environment variables that point to the tests' own run."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(OF_THE_CALLER)}
    moved = {variable: str(port) for variable, port in ports.by_variable()}
    return subprocess.run(
        [shutil.which("make") or "make", f"PYTHON={sys.executable}", *arguments],
        cwd=checkout,
        env={**own, **moved},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )


def test_a_copied_checkout_is_independent(tmp_path: Path) -> None:
    """It takes orders and removes its data without touching the original checkout."""
    checkout, ports = copied(tmp_path / "my orders"), free_block()

    with on_the_machine():  # packages may have to be fetched
        status = make(checkout, ports, "status")
    assert f"Orderflow is not running in {checkout}" in status.stdout
    assert status.returncode != 0

    run = make(checkout, ports, "run", "ARGS=--until-first-orders")
    assert "The first orders succeeded." in run.stdout, run.stdout
    assert run.returncode == 0, run.stdout
    assert (checkout / ".orderflow" / "data" / "orders.db").exists()

    reset = make(checkout, ports, "reset", "YES=1")
    assert reset.returncode == 0, reset.stdout
    assert not any((checkout / ".orderflow" / "data").iterdir())
