import re
import subprocess
import sys
from pathlib import Path

import pytest

from orderflow_tools.settings import find_checkout
from orderflow_tools.stand_ins import BASE, PYTHON

ROOT = find_checkout()
SERVICES = ROOT / "services" / "Dockerfile"
STAND_INS = sorted((ROOT / "tools" / "stand-ins").glob("*/Dockerfile"))
HADOLINT = Path(sys.executable).with_name("hadolint")


def bases(dockerfile: Path) -> set[str]:
    """Return what a Dockerfile begins with, apart from stages of its own."""
    text = dockerfile.read_text()
    stages = set(re.findall(r"^FROM .* AS (\S+)$", text, re.MULTILINE))
    return set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - stages - {"scratch"}


@pytest.mark.parametrize("dockerfile", [SERVICES, *STAND_INS], ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    """Not even a matter of style, with every rule on except where a line says why not."""
    outcome = subprocess.run(
        [HADOLINT, "--no-color", "--failure-threshold", "style", dockerfile],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (outcome.returncode, outcome.stdout) == (0, "")


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    """The linter that says nothing above does speak of what is wrong."""
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp\n")

    outcome = subprocess.run(
        [HADOLINT, "--failure-threshold", "style", bad], capture_output=True, check=False
    )

    assert outcome.returncode == 1


def test_bases_are_those_that_can_be_stood_in_for() -> None:
    """Where no registry answers, each base of the images can be made of packages."""
    assert bases(SERVICES) == {PYTHON}
    assert {base for path in STAND_INS for base in bases(path)} == {BASE}
