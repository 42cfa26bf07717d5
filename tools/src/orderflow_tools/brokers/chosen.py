"""The servers of a run, which follow from the broker that was chosen."""

from collections.abc import Callable, Mapping
from typing import Final

from orderflow_tools.brokers.kafka import Kafka
from orderflow_tools.brokers.names import KAFKA, RABBITMQ, REDIS
from orderflow_tools.brokers.rabbitmq import RabbitMq
from orderflow_tools.brokers.redis import Redis
from orderflow_tools.brokers.server import Broker, Server
from orderflow_tools.settings import Settings

WORKFLOW_STORE: Final = "workflow-store"
"""The process of Redis when it only stores workflows."""

_MAKERS: Final[Mapping[str, Callable[[Settings], Broker]]] = {
    REDIS: Redis,
    RABBITMQ: RabbitMq,
    KAFKA: Kafka,
}


def broker_of(settings: Settings) -> Broker:
    """Return the broker of a run."""
    return _MAKERS[settings.broker](settings)


def servers_of(settings: Settings) -> tuple[Server, ...]:
    """Return the broker of a run, and Redis for the workflows if the broker is another one."""
    broker = broker_of(settings)
    if settings.broker == REDIS:
        return (broker,)
    return Redis(settings, WORKFLOW_STORE), broker
