"""The choice of a broker, and the files that RabbitMQ gets."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from orderflow_contracts.names import SUBSCRIPTIONS, dead_letter_topic
from orderflow_tools import dapr_files
from orderflow_tools.brokers import names, rabbitmq
from orderflow_tools.brokers.chosen import broker_of, servers_of
from orderflow_tools.brokers.rabbitmq import RabbitMq
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return a run on RabbitMQ, whose programs need not be installed."""
    for name in ("rabbitmq-server", "epmd"):
        (tmp_path / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(rabbitmq, "DEBIAN_PROGRAM", tmp_path / "rabbitmq-server")
    made = replace(Settings.isolated(tmp_path / "home"), broker=names.RABBITMQ)
    for folder in (made.run, made.data):
        folder.mkdir(parents=True)
    return made


def test_redis_is_the_default() -> None:
    """Nothing needs to be chosen."""
    assert names.chosen({}) == names.REDIS


def test_a_command_continues_on_the_broker_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former broker may hold events; one that is named is taken all the same."""
    monkeypatch.setenv("ORDERFLOW_HOME", str(tmp_path))
    monkeypatch.delenv(names.VARIABLE, raising=False)
    assert Settings.of_command().broker == names.REDIS
    (tmp_path / "data").mkdir()
    names.record(names.RABBITMQ, tmp_path / "data")

    assert Settings.of_command().broker == names.RABBITMQ
    monkeypatch.setenv(names.VARIABLE, names.REDIS)
    assert Settings.of_command().broker == names.REDIS


def test_data_from_before_the_choice_belongs_to_redis(tmp_path: Path) -> None:
    """An older version recorded nothing."""
    (tmp_path / "broker").mkdir()

    assert names.recorded(tmp_path) == names.REDIS
    with pytest.raises(PlatformError, match="BROKER=redis"):
        names.record(names.RABBITMQ, tmp_path)


def test_another_broker_is_refused_for_the_same_data(tmp_path: Path) -> None:
    """Its events would stay behind, so the message says how to go on."""
    names.record(names.RABBITMQ, tmp_path)

    with pytest.raises(PlatformError, match=r"BROKER=rabbitmq.*make reset.*ORDERFLOW_HOME"):
        names.record(names.REDIS, tmp_path)


def test_an_unknown_broker_is_refused() -> None:
    """The message names those that exist."""
    with pytest.raises(PlatformError, match="must be one of redis, rabbitmq"):
        names.chosen({names.VARIABLE: "rabbit"})


def test_another_broker_is_not_the_default_run() -> None:
    """The root dapr.yaml and its components are for Redis."""
    assert not Settings.from_environment({names.VARIABLE: names.RABBITMQ}).is_default


def test_workflows_stay_in_redis(settings: Settings) -> None:
    """Beside another broker, Redis runs as the store of the workflows."""
    store, broker = servers_of(settings)

    assert (store.name, store.port) == ("workflow-store", settings.ports.control.broker)
    assert (broker.name, broker.port) == ("broker", settings.ports.control.event_broker)


def test_the_component_differs_from_the_cluster_in_its_address_only(settings: Settings) -> None:
    """What is tried locally holds in a cluster."""
    dapr_files.run_file(settings)

    path = settings.run / "components" / "pubsub.yaml"
    local = yaml.safe_load(path.read_text())
    (patch,) = yaml.safe_load(
        (settings.root / "deploy/components/rabbitmq/pubsub.yaml").read_text()
    )
    shared = patch["value"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert local["scopes"] == ["orders", "approvals"]
    assert local["spec"]["type"] == shared["type"]
    assert values(local["spec"]).keys() == values(shared).keys()
    address = urlsplit(values(local["spec"]).pop("connectionString"))
    assert (address.hostname, address.port) == ("127.0.0.1", settings.ports.control.event_broker)
    assert without_address(local["spec"]) == without_address(shared)


def test_the_password_is_private_and_stays(settings: Settings) -> None:
    """Each data folder has its own random one, in files that only their owner reads."""
    broker_of(settings).processes()
    folder = settings.data / "rabbitmq"
    first = (folder / "password").read_text()

    broker_of(settings).processes()

    assert (folder / "password").read_text() == first
    assert len(first) == 32
    for name in ("password", "rabbitmq.conf", "definitions.json"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    (user,) = json.loads((folder / "definitions.json").read_text())["users"]
    assert user["password"] == first


def test_every_subscription_has_its_queue_before_the_start(settings: Settings) -> None:
    """RabbitMQ drops what is published while nothing is bound to a topic."""
    broker_of(settings).processes()

    text = (settings.data / "rabbitmq" / "definitions.json").read_text()
    bound = {(each["source"], each["destination"]) for each in json.loads(text)["bindings"]}

    for app, topics in SUBSCRIPTIONS.items():
        for topic in topics:
            for each in (topic, dead_letter_topic(topic)):
                assert (each, f"{app}-{each}") in bound


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Whoever cannot install Debian's package learns what to install."""
    monkeypatch.setattr(rabbitmq, "DEBIAN_PROGRAM", Path("/nowhere"))
    monkeypatch.setattr(rabbitmq, "is_root_on_debian", lambda: False)
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(PlatformError, match=r"Install RabbitMQ .*rabbitmq-server"):
        RabbitMq(settings).find()


def values(spec: Any) -> dict[str, Any]:
    return {item["name"]: item.get("value") for item in spec["metadata"]}


def without_address(spec: Any) -> dict[str, Any]:
    return {name: value for name, value in values(spec).items() if name != "connectionString"}
