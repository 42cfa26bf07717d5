"""Prints the environment of a test and its child; test_isolation.py runs it in another pytest."""

import json
import locale
import os
import subprocess
import sys
import time

from isolation import on_the_machine
from orderflow_cli.credentials import load_credential

CHILD = "import json, os, time; print(json.dumps([dict(os.environ), time.timezone, os.umask(0)]))"


def in_child() -> tuple[dict[str, str], int, int]:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    variables, zone, umask = json.loads(done.stdout)
    return variables, zone, umask


def test_print_what_is_seen() -> None:
    """Print it as one line of JSON."""
    variables, zone, umask = in_child()
    with on_the_machine():
        on_machine, _, _ = in_child()
    seen = {
        "variables": variables,
        "zone": [zone, time.timezone],
        "umask": umask,
        "encoding": locale.getpreferredencoding(do_setlocale=False),
        "token": load_credential(os.environ) is not None,
        "on the machine": on_machine,
    }
    sys.stdout.write(f"\nSEEN {json.dumps(seen)}\n")
