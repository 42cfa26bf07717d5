"""Apache Kafka on loopback: one node, which is broker and controller."""

import json
import shutil
import socket
import struct
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from orderflow_tools.brokers.manifests import deployed_spec
from orderflow_tools.brokers.names import KAFKA
from orderflow_tools.brokers.server import Process
from orderflow_tools.errors import PlatformError
from orderflow_tools.ports import LOOPBACK
from orderflow_tools.programs import run_to_end
from orderflow_tools.settings import Settings
from orderflow_tools.toolchain.kafka import Kafka as Programs
from orderflow_tools.toolchain.kafka import find_kafka

OPTIONS: Final = (
    # Without memory it ends, and is started again.
    *("-Xmx256m", "-XX:+ExitOnOutOfMemoryError"),
    # One garbage collector and one compiler are enough, and start sooner.
    *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    # Do not keep a buffer of the size of the largest event for each thread.
    "-Djdk.nio.maxCachedBufferSize=262144",
    "-Djava.awt.headless=true",
    *(
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
    ),
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
MEBIBYTE: Final = 1024 * 1024

SETTINGS: Final[Mapping[str, object]] = {
    # A sidecar handles the events of a partition one after the other. It chooses the partition by
    # the subject of an event that a service publishes, and at random for any other.
    "num.partitions": 8,
    # All that a sidecar with default limits accepts: 4 MiB, of which it may write each byte as six.
    # An event takes less than the batch that carries it.
    "message.max.bytes": 33 * MEBIBYTE,
    # An acknowledged event is in the memory of the operating system, which writes it to disk. It
    # outlives the end of this process but, as usual for Kafka, not that of the only machine.
    # Events are deleted by size alone, handled or not: of each partition, the newest stay.
    "log.retention.ms": -1,
    "log.retention.bytes": 256 * MEBIBYTE,
    "log.segment.bytes": 64 * MEBIBYTE,
    # After any pause, services continue where they stopped.
    "offsets.retention.minutes": 2**31 - 1,
    "offsets.topic.num.partitions": 1,
    "offsets.topic.replication.factor": 1,
    # The services do not wait for other consumers before they begin.
    "group.initial.rebalance.delay.ms": 0,
    # A killed broker may return only once the controller has missed it for this long.
    "broker.session.timeout.ms": 2000,
    "broker.heartbeat.interval.ms": 400,
    # One machine needs fewer threads and smaller buffers than a cluster.
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    "log.cleaner.dedupe.buffer.size": 4 * MEBIBYTE,
}

METADATA_REQUEST: Final = struct.pack(">hhihi", 3, 1, 0, -1, 0)
"""The request `Metadata`, version 1, correlation 0, of no named client, about no topics."""
BROKERS_OFFSET: Final = 8
"""Where the answer tells the number of brokers: after its length and the correlation."""


class Kafka:
    """A Kafka node, with its data in the folder of the run. It asks for no password."""

    name = "broker"
    is_resumed = True

    def __init__(self, settings: Settings) -> None:
        self.port = settings.ports.control.event_broker
        self._controller_port = settings.ports.control.event_broker_peer
        self._root = settings.root
        self._folder = settings.data / KAFKA

    def find(self) -> str:
        """Return where Kafka and its Java are; fetch or install what is missing."""
        return self._programs.origin

    def processes(self) -> Mapping[str, Process]:
        """Write the configuration, prepare a new data folder, and return the one process."""
        if "," in str(self._folder):
            raise PlatformError(f"Kafka cannot store data in {self._folder}: it splits at a comma.")
        self._folder.mkdir(parents=True, exist_ok=True)
        data, configuration = self._folder / "log", self._folder / "server.properties"
        if not data.exists():
            self._format(data)
        _write(configuration, self._configuration(data))
        return {self.name: Process(self._java("kafka.Kafka", configuration))}

    def is_serving(self) -> bool:
        """Return whether the node answers and knows itself as a broker that serves."""
        try:
            with socket.create_connection((LOOPBACK, self.port), 1) as connection:
                connection.sendall(struct.pack(">i", len(METADATA_REQUEST)) + METADATA_REQUEST)
                answer = connection.recv(64)
        except OSError:
            return False
        return len(answer) >= BROKERS_OFFSET + 4 and answer[BROKERS_OFFSET + 3] == 1

    def component(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the component with the settings of Kubernetes and the address of this node."""
        own = {"brokers": f"{LOOPBACK}:{self.port}", "authType": "none"}
        return {**document, "spec": deployed_spec(self._root, KAFKA, own)}

    @cached_property
    def _programs(self) -> Programs:
        return find_kafka(self._root)

    def _java(self, main: str, *arguments: str | Path) -> Sequence[str | Path]:
        return [self._programs.java, *OPTIONS, "-cp", f"{self._programs.jars}/*", main, *arguments]

    def _format(self, data: Path) -> None:
        """Write what identifies the data folder, completely or not at all."""
        draft, configuration = data.with_name("draft"), data.with_name("draft.properties")
        shutil.rmtree(draft, ignore_errors=True)
        _write(configuration, self._configuration(draft))
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = self._java("kafka.tools.StorageTool", "format", "-c", configuration)
        outcome = run_to_end([*command, f"--cluster-id={cluster}"])
        if outcome.returncode:
            raise PlatformError(f"Kafka could not prepare {data}:\n{outcome.stdout[-2000:]}")
        configuration.unlink()
        draft.rename(data)

    def _configuration(self, data: Path) -> Mapping[str, object]:
        here, controller = f"{LOOPBACK}:{self.port}", f"{LOOPBACK}:{self._controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"EVENTS://{here},CONTROLLER://{controller}",
            "advertised.listeners": f"EVENTS://{here}",
            "listener.security.protocol.map": "EVENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "EVENTS",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": data,
            **SETTINGS,
        }


def _write(path: Path, settings: Mapping[str, object]) -> None:
    """Write a file of Java properties, whose escapes are those of JSON."""
    lines = (f"{name}={json.dumps(str(value))[1:-1]}" for name, value in settings.items())
    path.write_text("\n".join(("# Written at each start.", *lines, "")))
