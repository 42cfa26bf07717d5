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
"""How long undoing a step is retried before the order needs attention."""

Picking = Literal["off", "handed_over", "awaited"]
"""Whether each paid order creates a task for the warehouse, and whether it waits for that task."""


class OrdersDatabaseSettings(DatabaseSettings):
    """What the commands that migrate the database need."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_")

    database_url: DatabaseUrl = "sqlite:///.orderflow/data/orders.db"
    """The database of the service: SQLite, or PostgreSQL as `postgresql+psycopg://…`."""


class OrdersSettings(OrdersDatabaseSettings, ServiceSettings):
    """Settings of orders, from `ORDERS_…` and the variables that all services share."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_", populate_by_name=True)

    http_port: Port = _PORTS.http
    grpc_port: Port = _PORTS.grpc
    dapr_http_port: Port = Field(_PORTS.dapr_http, validation_alias="DAPR_HTTP_PORT")
    dapr_grpc_port: Port = Field(_PORTS.dapr_grpc, validation_alias="DAPR_GRPC_PORT")
    approval_threshold_cents: int = Field(50_000_00, ge=0)
    """An order with a higher total needs approval."""
    approval_timeout_seconds: Seconds = Field(24 * 3600, gt=0)
    """How long an order waits for approval before it is rejected."""
    retry_timeout_seconds: Seconds = Field(600, gt=0)
    """How long a failing step of an order is retried."""
    hello_step_seconds: Seconds = Field(2, ge=0)
    """The length of each of the ten parts of `interactive_hello_workflow`."""
    counter_pause_seconds: Seconds = Field(1, gt=0)
    """The pause between two counts of `never_ending_workflow`."""
    batch_parallelism: int = Field(20, ge=1, le=500)
    """How many orders of a batch run at a time, not counting those that wait for approval."""
    picking: Picking = "off"
    """Whether a paid order creates a picking task for the warehouse, and waits until it is done."""
    pickers: tuple[Name, ...] = Field(("warehouse",), min_length=1)
    """Who gets tasks without an assignee: the person with the fewest open tasks."""
    picking_timeout_seconds: Seconds = Field(24 * 3600, gt=0)
    """How long an order waits for its picking task."""
    low_stock_thresholds: dict[Name, Threshold] = Field(
        default={"paperclip": 10, "cars": 10, "computers": 10}
    )
    """The items whose stock is monitored, each with its alert threshold in units."""
    stock_check_seconds: Seconds = Field(60, gt=0)
    """The pause between two checks of an item that has enough stock."""
    low_stock_check_seconds: Seconds = Field(15, gt=0)
    """The pause between two checks of an item that is low on stock."""
    approval_reminder_after: float = Field(0.5, ge=0, lt=1)
    """The part of the approval time after which a reminder is sent; 0: never."""
    second_approval_threshold_cents: int | None = None
    """An order with a higher total needs two different approvers; unset: one always suffices."""
    inbox_url: WebUrl = "http://127.0.0.1:8003"
    """The address of the inbox, to which the pages of the board link."""
    undo_timeout_seconds: Seconds = Field(UNDO_TIMEOUT_SECONDS, gt=0)
    """How long a failing compensation is retried."""

    @field_validator("second_approval_threshold_cents")
    @classmethod
    def _not_under_the_first(cls, second: int | None, info: ValidationInfo) -> int | None:
        first = info.data.get("approval_threshold_cents")
        if second is not None and first is not None and second < first:
            raise ValueError(
                f"must not be less than ORDERS_APPROVAL_THRESHOLD_CENTS, which is {first}"
            )
        return second
