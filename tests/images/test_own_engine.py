import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orderflow_tools.containers.engines import open_engine
from orderflow_tools.containers.own_engine import own_engine
from orderflow_tools.containers.sockets import answers
from orderflow_tools.debian import is_root_on_debian
from orderflow_tools.errors import PlatformError

USER = """
import sys
from orderflow_tools.containers.own_engine import own_engine
with own_engine() as host:
    print(host, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Provide an empty cache folder with a path that is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="of-") as folder:
        monkeypatch.setenv("XDG_CACHE_HOME", folder)
        yield Path(folder)


def traces(cache: Path) -> list[str]:
    """Return the processes and mounts of an engine."""
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    processes = [
        f"{process.pid} {' '.join(process.info['cmdline'] or ())}"
        for process in psutil.process_iter(["cmdline"])
        if process.pid != os.getpid()
    ]
    return [text for text in [*mounts, *processes] if str(cache) in text]


def wait_until_gone(cache: Path) -> None:
    """Wait until nothing of an engine is left; fail with what remains."""
    until = time.monotonic() + 60
    while found := traces(cache):
        assert time.monotonic() < until, found
        time.sleep(0.1)


def test_it_ends_with_its_last_user(cache: Path) -> None:
    """Two processes share an engine; it survives the first, and leaves nothing after the second."""
    if not is_root_on_debian():
        with pytest.raises(PlatformError, match="container engine"), open_engine("own"):
            pass
        return
    with own_engine() as first:
        with own_engine() as second:
            assert first == second
        assert answers([first])

    assert not answers([first])
    assert traces(cache) == []


def test_it_ends_when_its_user_is_killed(cache: Path) -> None:
    """A killed test run cannot stop the engine, which still ends."""
    if not is_root_on_debian():
        with pytest.raises(PlatformError, match="container engine"), open_engine("own"):
            pass
        return
    with subprocess.Popen(
        [sys.executable, "-c", USER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout
        lines = iter(user.stdout)
        host = next(line for line in lines if line.startswith("unix://")).strip()
        assert answers([host])
        user.send_signal(signal.SIGKILL)

    wait_until_gone(cache)
