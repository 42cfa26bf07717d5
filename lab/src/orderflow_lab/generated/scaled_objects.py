"""Writes KEDA's autoscalers, one file for each broker, from the declarations of the services.

A service that uses the broker gets an autoscaler: by CPU, and by the backlog of the subscriptions
that it scales on.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from orderflow_contracts.names import PUBSUB, SERVICES
from orderflow_lab.generated.manifests import HEADER, NAMESPACE

Document = dict[str, Any]

FOLDER: Final = Path("deploy/components/keda")
AUTHENTICATION: Final = "broker"
EVENTS_PER_POD: Final = "200"
"""How many waiting events of one topic keep a pod busy."""


class Broker(NamedTuple):
    """How KEDA measures a backlog on a kind of broker."""

    comment: str
    trigger: str
    secrets: dict[str, tuple[str, str]]
    """Each parameter of the connection, with the name and the key of its secret."""
    queue: Callable[[str, str], dict[str, str]]
    """Describes the queue of an application for a topic."""


BROKERS: Final = {
    "redis": Broker(
        "In Redis, the events that the application's group has not fetched. This needs Redis 7.",
        "redis-streams",
        {"address": ("orderflow-redis", "host"), "password": ("orderflow-redis", "password")},
        lambda app_id, topic: {
            "stream": topic,
            "consumerGroup": app_id,
            "enableTLS": "true",
            "lagCount": EVENTS_PER_POD,
        },
    ),
    "kafka": Broker(
        "In Kafka, the events that the application's group has not read.",
        "kafka",
        {
            "username": ("orderflow-pubsub", "username"),
            "password": ("orderflow-pubsub", "password"),
        },
        lambda app_id, topic: {
            "bootstrapServers": "taken from pubsub",
            "consumerGroup": app_id,
            "topic": topic,
            "offsetResetPolicy": "earliest",
            "sasl": "scram_sha512",
            "tls": "enable",
            "lagThreshold": EVENTS_PER_POD,
        },
    ),
    "rabbitmq": Broker(
        "In RabbitMQ, the events in the queue that Dapr creates for the application and the topic.",
        "rabbitmq",
        {"host": ("orderflow-pubsub", "connection-string")},
        lambda app_id, topic: {
            "queueName": f"{app_id}-{topic}",
            "mode": "QueueLength",
            "value": EVENTS_PER_POD,
        },
    ),
}


def scaled_objects() -> dict[Path, str]:
    """Return the text for each broker, by the path of its file in the checkout."""
    return {FOLDER / name / "scaled-objects.yaml": _text(each) for name, each in BROKERS.items()}


def _text(broker: Broker) -> str:
    comment = f"# {broker.comment}\n"
    return HEADER + comment + yaml.safe_dump_all(_documents(broker), sort_keys=False)


def _documents(broker: Broker) -> Iterator[Document]:
    references = [
        {"parameter": parameter, "name": name, "key": key}
        for parameter, (name, key) in broker.secrets.items()
    ]
    yield {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": {"name": AUTHENTICATION, "namespace": NAMESPACE},
        "spec": {"secretTargetRef": references},
    }
    for app_id, service in SERVICES.items():
        if PUBSUB in service.components:
            yield _scaled_object(app_id, [_backlog(broker, app_id, t) for t in service.scales_on])


def _scaled_object(app_id: str, backlogs: list[Document]) -> Document:
    cpu = {
        "type": "cpu",
        "metricType": "Utilization",
        "metadata": {"value": "70", "containerName": "app"},
    }
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {
            "name": app_id,
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/name": app_id},
        },
        "spec": {
            "scaleTargetRef": {"name": app_id},
            "minReplicaCount": 3,
            "maxReplicaCount": 10,
            "triggers": [cpu, *backlogs],
        },
    }


def _backlog(broker: Broker, app_id: str, topic: str) -> Document:
    return {
        "type": broker.trigger,
        "metadata": broker.queue(app_id, topic),
        "authenticationRef": {"name": AUTHENTICATION},
    }
