"""Orders' settings; the only reader of the environment."""

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from orderflow_contracts.fields import Name
from orderflow_contracts.names import LOCAL_PORTS, ORDERS
from orderflow_hosting.setting_types import (
    LONGEST_SECONDS,
    DatabaseUrl,
    Port,
    Seconds,
    WebUrl,
)
from orderflow_hosting.settings import DatabaseSettings, ServiceSettings

_PORTS: Final = LOCAL_PORTS[ORDERS]

Threshold = Annotated[int, Field(ge=1)]
LONGEST_PATIENCE_SECONDS: Final = LONGEST_SECONDS
UNDO_TIMEOUT_SECONDS: Final = 3600.0
"""So long it is tried to undo a step; then a person must look."""

Picking = Literal["off", "handed_over", "awaited"]
"""Whether the warehouse is given a task for each paid order, and whether the order waits for it."""


class OrdersDatabaseSettings(DatabaseSettings):
    """What the commands that migrate the database need."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_")

    database_url: DatabaseUrl = "sqlite:///.orderflow/data/orders.db"


class OrdersSettings(OrdersDatabaseSettings, ServiceSettings):
    """Settings of orders, from `ORDERS_…` and the variables that all services share."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_", populate_by_name=True)

    http_port: Port = _PORTS.http
    grpc_port: Port = _PORTS.grpc
    dapr_http_port: Port = Field(_PORTS.dapr_http, validation_alias="DAPR_HTTP_PORT")
    dapr_grpc_port: Port = Field(_PORTS.dapr_grpc, validation_alias="DAPR_GRPC_PORT")
    approval_threshold_cents: int = Field(50_000_00, ge=0)
    approval_timeout_seconds: Seconds = Field(24 * 3600, gt=0)
    retry_timeout_seconds: Seconds = Field(600, gt=0)
    hello_step_seconds: Seconds = Field(2, ge=0)
    counter_pause_seconds: Seconds = Field(1, gt=0)
    batch_parallelism: int = Field(20, ge=1, le=500)
    picking: Picking = "off"
    pickers: tuple[Name, ...] = Field(("warehouse",), min_length=1)
    picking_timeout_seconds: Seconds = Field(24 * 3600, gt=0)
    low_stock_thresholds: dict[Name, Threshold] = Field(
        default={"paperclip": 10, "cars": 10, "computers": 10}
    )
    stock_check_seconds: Seconds = Field(60, gt=0)
    low_stock_check_seconds: Seconds = Field(15, gt=0)
    approval_reminder_after: float = Field(0.5, ge=0, lt=1)
    second_approval_threshold_cents: int | None = None
    inbox_url: WebUrl = "http://127.0.0.1:8003"
    undo_timeout_seconds: Seconds = Field(UNDO_TIMEOUT_SECONDS, gt=0)

    @field_validator("second_approval_threshold_cents")
    @classmethod
    def _not_under_the_first(cls, second: int | None, info: ValidationInfo) -> int | None:
        first = info.data.get("approval_threshold_cents")
        if second is not None and first is not None and second < first:
            raise ValueError(
                f"must not be less than ORDERS_APPROVAL_THRESHOLD_CENTS, which is {first}"
            )
        return second
