"""Inventory's settings; the only reader of the environment."""

from typing import Final

from pydantic import BaseModel, Field
from pydantic_settings import SettingsConfigDict

from orderflow_contracts.fields import Name
from orderflow_contracts.names import INVENTORY, LOCAL_PORTS
from orderflow_hosting.setting_types import Port
from orderflow_hosting.settings import ServiceSettings

_PORTS: Final = LOCAL_PORTS[INVENTORY]


class OpeningItem(BaseModel):
    """An item of the opening stock: its quantity and unit price."""

    item: Name
    quantity: int = Field(ge=0)
    unit_price_cents: int = Field(ge=0)


OPENING_STOCK: Final = (
    OpeningItem(item="paperclip", quantity=100, unit_price_cents=5_00),
    OpeningItem(item="cars", quantity=100, unit_price_cents=15_000_00),
    OpeningItem(item="computers", quantity=100, unit_price_cents=500_00),
)


class InventorySettings(ServiceSettings):
    """Settings of inventory, from `INVENTORY_…` variables and those that all services share."""

    model_config = SettingsConfigDict(env_prefix="INVENTORY_", populate_by_name=True)

    http_port: Port = _PORTS.http
    grpc_port: Port = _PORTS.grpc
    dapr_http_port: Port = Field(_PORTS.dapr_http, validation_alias="DAPR_HTTP_PORT")
    dapr_grpc_port: Port = Field(_PORTS.dapr_grpc, validation_alias="DAPR_GRPC_PORT")
    opening_stock: tuple[OpeningItem, ...] = OPENING_STOCK
    """The items with quantity and price at the first start; existing items keep theirs."""
