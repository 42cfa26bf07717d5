import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fakes.supervised import eventually
from orderflow_tools import free_ports, run_state
from orderflow_tools.brokers.redis import Redis
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings
from orderflow_tools.supervision import processes


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings.isolated(tmp_path)
    (made.data / "broker").mkdir(parents=True)
    return made


@pytest.fixture
def broker(settings: Settings) -> Iterator[Settings]:
    """Start only the broker of a run."""
    command = Redis(settings).processes()["broker"].command
    with processes.start(settings, "broker", command, os.environ):
        wait_until_serving(settings)
        yield settings
        processes.stop_all(settings)


def wait_until_serving(settings: Settings) -> None:
    deadline = time.monotonic() + 10
    while not Redis(settings).is_serving():
        assert time.monotonic() < deadline, "the broker does not answer"
        time.sleep(0.01)


def ask(settings: Settings, *words: str) -> str:
    with socket.create_connection(("127.0.0.1", settings.ports.control.broker), 5) as connection:
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.recv(1000).decode()


def test_a_killed_broker_loses_nothing_that_it_acknowledged(broker: Settings) -> None:
    """A killed broker is started again with its data, and that is reported."""
    ask(broker, "SET", "order", "42")

    former = processes.send(broker, "broker", signal.SIGKILL)
    while processes.pid_of(broker, "broker") in {None, former}:
        time.sleep(0.01)
    wait_until_serving(broker)

    assert "42" in ask(broker, "GET", "order")
    eventually(lambda: processes.reports_since(broker, 0)[0], "nothing was reported")
    reports, _ = processes.reports_since(broker, 0)
    assert [(report.name, report.event) for report in reports] == [("broker", "restarted")]


def test_the_broker_takes_no_snapshots(broker: Settings) -> None:
    """Only the append-only file makes it durable, and contains what was acknowledged."""
    assert ask(broker, "CONFIG", "GET", "save").splitlines()[-1] == ""
    assert "yes" in ask(broker, "CONFIG", "GET", "appendonly")
    assert "always" in ask(broker, "CONFIG", "GET", "appendfsync")


def test_a_stop_leaves_nothing(broker: Settings) -> None:
    """After a stop, neither the process nor its supervisor runs."""
    assert processes.running(broker) == ["broker"]

    assert processes.stop_all(broker) == []

    assert processes.running(broker) == []
    assert not Redis(broker).is_serving()


def test_a_reused_id_is_not_taken_for_a_supervised_process(settings: Settings) -> None:
    """An id in a stale file may belong to any process by now, and must not be signalled."""
    settings.run.mkdir()
    with subprocess.Popen([shutil.which("sleep") or "sleep", "60"]) as stranger:
        for name in ("orders.pid", "orders.keeper"):
            (settings.run / name).write_text(f"{stranger.pid}\n")

        assert processes.supervisor_of(settings, "orders") is None
        assert processes.pid_of(settings, "orders") is None
        processes.stop_all(settings)

        assert stranger.poll() is None
        stranger.kill()


def copied(settings: Settings, home: Path) -> Settings:
    """Copy the folder of a run, as `cp -a` does with a checkout."""
    shutil.copytree(settings.home, home)
    return replace(settings, home=home)


def test_a_copied_folder_does_not_claim_the_originals_processes(
    broker: Settings, tmp_path: Path
) -> None:
    """They are neither shown as the copy's nor stopped by it."""
    copy = copied(broker, tmp_path.with_name(f"{tmp_path.name}-copy"))

    assert processes.running(copy) == []
    assert processes.pid_of(copy, "broker") is None
    assert processes.stop_all(copy) == []
    assert processes.running(broker) == ["broker"]


def test_a_folder_that_was_moved_keeps_its_processes(broker: Settings, tmp_path: Path) -> None:
    """After a checkout was moved during a run, its processes are still found and stopped."""
    moved = replace(broker, home=broker.home.rename(tmp_path.with_name(f"{tmp_path.name}-moved")))

    assert processes.running(moved) == ["broker"]
    assert processes.stop_all(moved) == []
    assert processes.running(moved) == []


def test_a_port_in_use_is_named_with_the_folder_of_its_run(broker: Settings) -> None:
    """The error names the run to stop, because its process would only be started again."""
    with pytest.raises(PlatformError, match=f"by Orderflow in {broker.home} .`make stop`"):
        free_ports.check(broker.ports)


def test_a_copy_does_not_use_the_originals_state(settings: Settings, tmp_path: Path) -> None:
    """`make stop` in a copy must not end the run of the original."""
    runner = psutil.Process(os.getppid())
    record = {"pid": runner.pid, "created": runner.create_time(), "home": str(settings.home)}
    settings.run.mkdir()
    (settings.run / "state.json").write_text(json.dumps(record))
    copy = copied(settings, tmp_path.with_name(f"{tmp_path.name}-copy"))

    assert run_state.holder(settings) == runner
    assert run_state.holder(copy) is None
    run_state.check_free(copy)


def test_a_second_run_in_one_folder_is_refused(settings: Settings) -> None:
    """Two runs on the same data would damage it; the error names the remedy."""
    with (
        run_state.held(settings),
        pytest.raises(PlatformError, match=r"already running in .* set ORDERFLOW_HOME"),
        run_state.held(settings),
    ):
        pass


def test_a_stale_run_state_belongs_to_no_process(settings: Settings) -> None:
    """A later process with a runner's number is not that runner."""
    settings.run.mkdir()
    (settings.run / "state.json").write_text(f'{{"pid": {os.getppid()}, "created": 1.0}}')

    assert run_state.holder(settings) is None
