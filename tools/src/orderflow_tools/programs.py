"""Runs other programs to their end."""

import subprocess
from collections.abc import Sequence
from pathlib import Path


def run_to_end(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a program without input; `stdout` of the result has all that it printed."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
