"""What every service reads from its environment, once, when it starts."""

import sys
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Settings that every service has; a service adds its own under its own prefix."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    http_host: str = "127.0.0.1"
    http_port: int
    grpc_host: str = "127.0.0.1"
    grpc_port: int
    dapr_host: str = Field("127.0.0.1", validation_alias="DAPR_RUNTIME_HOST")
    dapr_http_port: int = Field(validation_alias="DAPR_HTTP_PORT")
    dapr_grpc_port: int = Field(validation_alias="DAPR_GRPC_PORT")
    app_api_token: SecretStr = Field(validation_alias="APP_API_TOKEN", min_length=16)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", validation_alias="LOG_LEVEL"
    )
    log_format: Literal["auto", "json", "console"] = Field("auto", validation_alias="LOG_FORMAT")

    @property
    def sidecar_grpc(self) -> str:
        """The address of the sidecar's gRPC API."""
        return f"{self.dapr_host}:{self.dapr_grpc_port}"

    @property
    def sidecar_http(self) -> str:
        """The base URL of the sidecar's HTTP API."""
        return f"http://{self.dapr_host}:{self.dapr_http_port}"


Settings = TypeVar("Settings", bound=ServiceSettings)


def load(settings: type[Settings]) -> Settings:
    """Read the settings, or end the process with a line for each that is missing or wrong."""
    try:
        return settings()
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        for problem in error.errors():
            name = str(problem["loc"][0])
            variable = name if name.isupper() else f"{prefix}{name.upper()}"
            sys.stderr.write(f"cannot start: {variable}: {problem['msg']}\n")
        raise SystemExit(2) from None
