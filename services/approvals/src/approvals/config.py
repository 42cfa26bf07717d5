"""Approvals' settings; the only reader of the environment."""

from typing import Final

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from orderflow_contracts.names import APPROVALS, LOCAL_PORTS, ORDERS
from orderflow_hosting.setting_types import DatabaseUrl, Port, WebUrl
from orderflow_hosting.settings import DatabaseSettings, ServiceSettings

_PORTS: Final = LOCAL_PORTS[APPROVALS]


class ApprovalsDatabaseSettings(DatabaseSettings):
    """What the commands that migrate the database need."""

    model_config = SettingsConfigDict(env_prefix="APPROVALS_")

    database_url: DatabaseUrl = "sqlite:///.orderflow/data/approvals.db"
    """The database of the service: SQLite, or PostgreSQL as `postgresql+psycopg://…`."""


class ApprovalsSettings(ApprovalsDatabaseSettings, ServiceSettings):
    """Settings of approvals, from `APPROVALS_…` variables and those that all services share."""

    model_config = SettingsConfigDict(env_prefix="APPROVALS_", populate_by_name=True)

    http_port: Port = _PORTS.http
    grpc_port: Port = _PORTS.grpc
    dapr_http_port: Port = Field(_PORTS.dapr_http, validation_alias="DAPR_HTTP_PORT")
    dapr_grpc_port: Port = Field(_PORTS.dapr_grpc, validation_alias="DAPR_GRPC_PORT")
    confirm_from_cents: int = Field(100_000_00, ge=0)
    """From this total on, the inbox asks for confirmation before it decides."""
    board_url: WebUrl | None = f"http://127.0.0.1:{LOCAL_PORTS[ORDERS].http}"
    """The address of the board, to which the pages of the inbox link."""
