"""Orders' settings; the only reader of the environment."""

from typing import Final

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from orderflow_contracts.names import LOCAL_PORTS, ORDERS
from orderflow_hosting.settings import ServiceSettings

_PORTS: Final = LOCAL_PORTS[ORDERS]


class OrdersSettings(ServiceSettings):
    """Settings of orders, from `ORDERS_…` and the variables that all services share."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_", populate_by_name=True)

    http_port: int = _PORTS.http
    grpc_port: int = _PORTS.grpc
    dapr_http_port: int = Field(_PORTS.dapr_http, validation_alias="DAPR_HTTP_PORT")
    dapr_grpc_port: int = Field(_PORTS.dapr_grpc, validation_alias="DAPR_GRPC_PORT")
    database_url: str = "sqlite:///.orderflow/data/orders.db"
    approval_threshold_cents: int = Field(50_000_00, ge=0)
    approval_timeout_seconds: float = Field(24 * 3600, gt=0)
    retry_timeout_seconds: float = Field(600, gt=0)
    hello_step_seconds: float = Field(2, ge=0)
    counter_pause_seconds: float = Field(1, gt=0)
    batch_parallelism: int = Field(20, ge=1, le=500)
