"""`tools/bootstrap` in small checkouts of its own, with a uv that only notes what it is asked."""

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
    """A folder with as much of a checkout as `tools/bootstrap` looks at."""

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
    """What is up to date is left alone."""
    assert checkout.bootstrap(mode) == []


@pytest.mark.parametrize("mode", ["", "present"])
def test_a_copy_gets_an_environment_of_its_own(checkout: Checkout, mode: str) -> None:
    """The copied one holds paths of the original, whose code and data it would use."""
    copy = copied(checkout, "copy")

    assert copy.bootstrap(mode) == ANEW
    assert copy.bootstrap(mode) == []
    assert checkout.bootstrap(mode) == []


@pytest.mark.parametrize("mode", ["", "present"])
def test_a_moved_checkout_gets_an_environment_of_its_own(checkout: Checkout, mode: str) -> None:
    """Its programs name an interpreter that is no more."""
    moved = Checkout(checkout.root.rename(checkout.root.with_name("moved")))

    assert moved.bootstrap(mode) == ANEW


def test_a_copied_link_to_an_environment_does_not_harm_the_original(checkout: Checkout) -> None:
    """Where .venv is a link, the link is replaced and not what it leads to."""
    copy = copied(checkout, "copy")
    shutil.rmtree(copy.venv)
    copy.venv.symlink_to(checkout.venv)

    assert copy.bootstrap() == ANEW

    assert not copy.venv.is_symlink()
    assert checkout.bootstrap() == []


def test_a_link_to_the_checkout_is_the_checkout(checkout: Checkout) -> None:
    """One checkout has one environment, by whatever path it is reached."""
    link = checkout.root.with_name("link")
    link.symlink_to(checkout.root)

    assert Checkout(link).bootstrap() == []


@pytest.mark.parametrize("mode", ["", "present"])
def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Checkout, mode: str) -> None:
    """Someone has uninstalled it, or the machine is another one."""
    python = checkout.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")

    assert checkout.bootstrap(mode) == ANEW


def test_an_environment_whose_python_was_replaced_is_made_anew(checkout: Checkout) -> None:
    """Packages for one version of Python do not serve another under the same path."""
    checkout.forge(version="3.11.0 (another)")

    assert checkout.bootstrap() == ANEW


def test_a_python_that_is_named_makes_the_environment_anew(checkout: Checkout) -> None:
    """`make env PYTHON=...` takes that Python; without it, the one that was taken stays."""
    checkout.forge(prefix="/opt/another")

    assert checkout.bootstrap() == []
    assert checkout.bootstrap("--this-python") == ANEW


def test_new_locks_bring_the_environment_up_to_date(checkout: Checkout) -> None:
    """But not for a command that deals with what runs already, such as `make stop`."""
    (checkout.root / "requirements.lock").write_text("httpx==1.0\n")

    assert checkout.bootstrap("present") == []
    assert checkout.bootstrap() == BROUGHT_UP_TO_DATE
    assert checkout.bootstrap() == []


def test_an_environment_that_was_left_half_made_is_made_anew(checkout: Checkout) -> None:
    """Its stamp is written last."""
    (checkout.venv / "orderflow-stamp").unlink()

    assert checkout.bootstrap("present") == ANEW


@pytest.mark.parametrize("home", ["/dev/null/run", "~no-such-user/run"])
def test_a_home_that_cannot_be_made_is_one_line(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    """The line names the variable, and Python's trace is left out."""
    command = [sys.executable, str(checkout.root / "tools" / "bootstrap")]
    monkeypatch.setenv("ORDERFLOW_HOME", home)

    outcome = subprocess.run(command, capture_output=True, text=True, check=False)

    [line] = outcome.stderr.splitlines()
    assert line.startswith(f"ORDERFLOW_HOME: cannot create the folder {home}: ")
    assert outcome.returncode == 1
