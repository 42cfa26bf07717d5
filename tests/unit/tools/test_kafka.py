"""The configuration of a Kafka node, and how its readiness is recognised."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from orderflow_contracts.names import PUBSUB
from orderflow_tools.brokers import kafka
from orderflow_tools.brokers.chosen import broker_of, servers_of
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings, find_checkout
from orderflow_tools.toolchain.kafka import Kafka as Programs

# It does of a node's work only what counts here: `format` makes the folder named in the file.
FORMATTER = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
for argument; do
    [ -f "$argument" ] && mkdir -p "$(sed -n 's/^log.dirs=//p' "$argument")"
done
exit 0
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of a run apart, on Kafka."""
    return replace(Settings.isolated(tmp_path / "home"), broker="kafka")


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a stand-in for Java in place; return the file with the arguments of its calls."""
    java = tmp_path / "java"
    java.write_text(FORMATTER)
    java.chmod(0o755)
    programs = Programs(java, tmp_path / "jars", "Kafka for a test")
    monkeypatch.setattr(kafka, "find_kafka", lambda _root: programs)
    return tmp_path / "calls"


def properties(settings: Settings) -> dict[str, str]:
    """Return what the configuration says."""
    lines = (settings.data / "kafka" / "server.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@contextmanager
def answering(answer: bytes, port: int) -> Iterator[None]:
    """Answer one connection on a port."""
    with socket.create_server(("127.0.0.1", port)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def test_redis_stores_the_workflows_beside_kafka(settings: Settings) -> None:
    """Both run, each under a name and on a port of its own."""
    names = [server.name for server in servers_of(settings)]
    ports = {server.port for server in servers_of(settings)}

    assert names == ["workflow-store", "broker"]
    assert len(ports) == len(names)


@pytest.mark.usefixtures("calls")
def test_a_node_listens_on_loopback_only(settings: Settings) -> None:
    """It is reachable from nowhere else, because it asks for no password."""
    broker_of(settings).processes()

    control = settings.ports.control
    assert properties(settings)["listeners"] == (
        f"EVENTS://127.0.0.1:{control.event_broker},"
        f"CONTROLLER://127.0.0.1:{control.event_broker_peer}"
    )


def test_data_is_formatted_once(settings: Settings, calls: Path) -> None:
    """The next start continues with it."""
    for _ in range(2):
        broker_of(settings).processes()

    assert (settings.data / "kafka" / "log").is_dir()
    assert calls.read_text().count("StorageTool format") == 1


def test_an_interrupted_formatting_begins_again(settings: Settings, calls: Path) -> None:
    """What it has left is not taken for data."""
    draft = settings.data / "kafka" / "draft"
    draft.mkdir(parents=True)
    (draft / "meta.properties").write_text("half")

    broker_of(settings).processes()

    assert calls.read_text().count("StorageTool format") == 1
    assert not any((settings.data / "kafka" / "log").iterdir())


def test_java_itself_is_the_process(settings: Settings, calls: Path) -> None:
    """A script around it would be killed in its place."""
    process = broker_of(settings).processes()["broker"]

    assert process.command[0] == calls.with_name("java")
    assert "kafka.Kafka" in process.command


def test_a_folder_may_have_any_name_without_a_comma(tmp_path: Path, calls: Path) -> None:
    """Java reads the file as Latin-1, with escapes."""
    for name in ("späť \\ 1", "a,b"):
        settings = replace(Settings.isolated(tmp_path / name), broker="kafka")
        if "," in name:
            with pytest.raises(PlatformError, match="comma"):
                broker_of(settings).processes()
        else:
            (settings.data / "kafka" / "log").mkdir(parents=True)
            broker_of(settings).processes()
            assert properties(settings)["log.dirs"].endswith(r"sp\u00e4\u0165 \\ 1/data/kafka/log")
    assert not calls.exists()


def test_the_broker_accepts_all_that_the_component_sends(settings: Settings) -> None:
    """An event is carried by a batch, which is a little larger."""
    document = yaml.safe_load((find_checkout() / "components" / "pubsub.yaml").read_text())

    component = broker_of(settings).component(document)

    values = {item["name"]: item["value"] for item in component["spec"]["metadata"]}
    largest = kafka.SETTINGS["message.max.bytes"]
    assert isinstance(largest, int)
    assert 24 * kafka.MEBIBYTE < int(values["maxMessageBytes"]) < largest


def test_the_component_signs_in_with_nothing(settings: Settings) -> None:
    """What Kubernetes reads from a secret is left out."""
    document = yaml.safe_load((find_checkout() / "components" / "pubsub.yaml").read_text())

    component = broker_of(settings).component(document)

    values = {item["name"]: item["value"] for item in component["spec"]["metadata"]}
    assert component["metadata"]["name"] == PUBSUB
    assert values["authType"] == "none"
    assert values["brokers"] == f"127.0.0.1:{settings.ports.control.event_broker}"
    assert not {"saslUsername", "saslPassword"} & set(values)


@pytest.mark.parametrize("brokers", [0, 1])
def test_a_node_serves_once_it_knows_itself_as_a_broker(settings: Settings, brokers: int) -> None:
    """It answers before that, but sidecars would find no broker."""
    body = struct.pack(">ii", 0, brokers) + bytes(40)
    with answering(struct.pack(">i", len(body)) + body, settings.ports.control.event_broker):
        assert broker_of(settings).is_serving() is (brokers == 1)


def test_no_answer_is_not_serving(settings: Settings) -> None:
    """Nothing listens, or the connection ends."""
    assert not broker_of(settings).is_serving()
    with answering(b"", settings.ports.control.event_broker):
        assert not broker_of(settings).is_serving()
