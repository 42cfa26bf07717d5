"""`tools/bootstrap` in small checkouts, with a uv that only records its arguments."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from orderflow_tools.settings import find_checkout

UV = f"""\
#!/bin/sh
echo "$1 $2" >> "$UV_LOG"
[ "$1" = venv ] || exit 0
for venv; do :; done
rm -rf "$venv"
mkdir -p "$venv/bin"
ln -s "{sys.executable}" "$venv/bin/python"
"""
ANEW = ["venv --quiet", "pip sync", "pip install"]
BROUGHT_UP_TO_DATE = ["pip sync", "pip install"]


@dataclass
class Checkout:
    """A folder with the part of a checkout that `tools/bootstrap` reads."""

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def bootstrap(self, *arguments: str) -> list[str]:
        """Run `tools/bootstrap`, and return what it asked of uv."""
        log = self.root.parent / "uv.log"
        log.write_text("")
        path = f"{self.root.parent / 'programs'}:{os.environ['PATH']}"
        environment = {"PATH": path, "UV_LOG": str(log), "HOME": str(self.root.parent)}
        command = [sys.executable, str(self.root / "tools" / "bootstrap"), *arguments]
        subprocess.run(command, env=environment, capture_output=True, check=True)
        return log.read_text().splitlines()

    def forge(self, **changes: str) -> None:
        """Let the environment's stamp say something else."""
        stamp = self.venv / "orderflow-stamp"
        stamp.write_text(json.dumps({**json.loads(stamp.read_text()), **changes}))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Make a checkout in a folder with an awkward name, and its environment."""
    root = tmp_path / "my \"old\" 'orders', é"
    (root / "tools").mkdir(parents=True)
    shutil.copy(find_checkout() / "tools" / "bootstrap", root / "tools")
    (root / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = []\n")
    (root / "requirements.lock").write_text("")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "uv").write_text(UV)
    (programs / "uv").chmod(0o755)
    made = Checkout(root)
    assert made.bootstrap() == ANEW
    return made


def copied(checkout: Checkout, name: str) -> Checkout:
    """Copy a checkout as `cp -a` does."""
    root = checkout.root.with_name(name)
    shutil.copytree(checkout.root, root, symlinks=True)
    return Checkout(root)


@pytest.mark.parametrize("mode", ["", "present", "--this-python"])
def test_an_environment_is_made_once(checkout: Checkout, mode: str) -> None:
    """An environment that is up to date does not change."""
    assert checkout.bootstrap(mode) == []


@pytest.mark.parametrize("mode", ["", "present"])
def test_a_copy_gets_an_environment_of_its_own(checkout: Checkout, mode: str) -> None:
    """The copied one contains paths of the original, and would use its code and data."""
    copy = copied(checkout, "copy")

    assert copy.bootstrap(mode) == ANEW
    assert copy.bootstrap(mode) == []
    assert checkout.bootstrap(mode) == []


@pytest.mark.parametrize("mode", ["", "present"])
def test_a_moved_checkout_gets_an_environment_of_its_own(checkout: Checkout, mode: str) -> None:
    """Its programs refer to an interpreter that no longer exists."""
    moved = Checkout(checkout.root.rename(checkout.root.with_name("moved")))

    assert moved.bootstrap(mode) == ANEW


def test_a_copied_link_to_an_environment_does_not_harm_the_original(checkout: Checkout) -> None:
    """If .venv is a link, the link is replaced, not its target."""
    copy = copied(checkout, "copy")
    shutil.rmtree(copy.venv)
    copy.venv.symlink_to(checkout.venv)

    assert copy.bootstrap() == ANEW

    assert not copy.venv.is_symlink()
    assert checkout.bootstrap() == []


def test_a_link_to_the_checkout_is_the_checkout(checkout: Checkout) -> None:
    """A checkout has one environment, whichever path leads to it."""
    link = checkout.root.with_name("link")
    link.symlink_to(checkout.root)

    assert Checkout(link).bootstrap() == []


@pytest.mark.parametrize("mode", ["", "present"])
def test_an_environment_whose_python_is_gone_is_made_again(checkout: Checkout, mode: str) -> None:
    """It was uninstalled, or the machine is another one."""
    python = checkout.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")

    assert checkout.bootstrap(mode) == ANEW


def test_an_environment_whose_python_was_replaced_is_made_again(checkout: Checkout) -> None:
    """Packages for one version of Python do not work with another under the same path."""
    checkout.forge(version="3.11.0 (another)")

    assert checkout.bootstrap() == ANEW


def test_a_named_python_makes_the_environment_again(checkout: Checkout) -> None:
    """`make env PYTHON=...` uses that Python; without it, the former one stays."""
    checkout.forge(prefix="/opt/another")

    assert checkout.bootstrap() == []
    assert checkout.bootstrap("--this-python") == ANEW


def test_new_locks_update_the_environment(checkout: Checkout) -> None:
    """A command for a run that was started earlier, such as `make stop`, does not update it."""
    (checkout.root / "requirements.lock").write_text("httpx==1.0\n")

    assert checkout.bootstrap("present") == []
    assert checkout.bootstrap() == BROUGHT_UP_TO_DATE
    assert checkout.bootstrap() == []


def test_an_incomplete_environment_is_made_again(checkout: Checkout) -> None:
    """Its stamp is written last."""
    (checkout.venv / "orderflow-stamp").unlink()

    assert checkout.bootstrap("present") == ANEW


@pytest.mark.parametrize("home", ["/dev/null/run", "~no-such-user/run"])
def test_a_home_that_cannot_be_made_is_one_line(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    """The line names the variable, and there is no traceback."""
    command = [sys.executable, str(checkout.root / "tools" / "bootstrap")]
    monkeypatch.setenv("ORDERFLOW_HOME", home)

    outcome = subprocess.run(command, capture_output=True, text=True, check=False)

    [line] = outcome.stderr.splitlines()
    assert line.startswith(f"ORDERFLOW_HOME: cannot create the folder {home}: ")
    assert outcome.returncode == 1
