"""Writes RabbitMQ's definitions: the queue of each subscription, as Dapr would create it.

Dapr creates a queue when its subscriber starts for the first time. What was published before has no
queue to wait in, so RabbitMQ drops it.
"""

import json
from pathlib import Path
from typing import Any, Final

from orderflow_contracts.names import SERVICES, dead_letter_topic

FILE: Final = Path("deploy/components/rabbitmq/definitions.json")
VIRTUAL_HOST: Final = "/"


def definitions() -> dict[Path, str]:
    """Return the text, by the path of its file in the checkout."""
    subscriptions = [
        (app_id, each)
        for app_id, service in SERVICES.items()
        for topic in service.subscribes
        for each in (topic, dead_letter_topic(topic))
    ]
    made = {
        "vhosts": [{"name": VIRTUAL_HOST}],
        "exchanges": [_exchange(topic) for topic in dict.fromkeys(t for _, t in subscriptions)],
        "queues": [_queue(app_id, topic) for app_id, topic in subscriptions],
        "bindings": [_binding(app_id, topic) for app_id, topic in subscriptions],
    }
    return {FILE: json.dumps(made, indent=2) + "\n"}


def _exchange(topic: str) -> dict[str, Any]:
    return {
        "name": topic,
        "vhost": VIRTUAL_HOST,
        "type": "fanout",
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }


def _queue(app_id: str, topic: str) -> dict[str, Any]:
    return {
        "name": f"{app_id}-{topic}",
        "vhost": VIRTUAL_HOST,
        "durable": True,
        "auto_delete": False,
        "arguments": {"x-queue-type": "classic"},
    }


def _binding(app_id: str, topic: str) -> dict[str, Any]:
    return {
        "source": topic,
        "vhost": VIRTUAL_HOST,
        "destination": f"{app_id}-{topic}",
        "destination_type": "queue",
        "routing_key": "",
        "arguments": {},
    }
