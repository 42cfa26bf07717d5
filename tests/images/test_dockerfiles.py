import re
import subprocess
import sys
from pathlib import Path

import pytest

from orderflow_lab.stand_ins import BASE, PYTHON
from orderflow_tools.settings import find_checkout

ROOT = find_checkout()
SERVICES = ROOT / "services" / "Dockerfile"
STAND_INS = sorted((ROOT / "lab" / "stand-ins").glob("*/Dockerfile"))
HADOLINT = Path(sys.executable).with_name("hadolint")


def bases(dockerfile: Path) -> set[str]:
    """Return the base images of a Dockerfile, without its own stages."""
    text = dockerfile.read_text()
    stages = set(re.findall(r"^FROM .* AS (\S+)$", text, re.MULTILINE))
    return set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - stages - {"scratch"}


@pytest.mark.parametrize("dockerfile", [SERVICES, *STAND_INS], ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    """All rules are on, even those of style; each exception gives its reason."""
    outcome = subprocess.run(
        [HADOLINT, "--no-color", "--failure-threshold", "style", dockerfile],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (outcome.returncode, outcome.stdout) == (0, "")


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    """The linter, which is silent above, does report faults."""
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp\n")

    outcome = subprocess.run(
        [HADOLINT, "--failure-threshold", "style", bad], capture_output=True, check=False
    )

    assert outcome.returncode == 1


def test_every_base_has_a_stand_in() -> None:
    """Without a registry, each base of the images is built from packages."""
    assert bases(SERVICES) == {PYTHON}
    assert {base for path in STAND_INS for base in bases(path)} == {BASE}
