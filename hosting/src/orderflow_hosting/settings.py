"""What every service reads from its environment, once, when it starts."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from orderflow_contracts.access import Roles
from orderflow_hosting.hosts import Host, NotAHost


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is this machine's own, which no other can reach."""
    try:
        return Host.read(host).is_loopback
    except NotAHost:
        return False


def _canonical_host(value: Any) -> Any:
    return str(Host.read(value)) if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    """Read a list that is written with commas between its parts."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$", to_lower=True)]
HostName = Annotated[str, BeforeValidator(_canonical_host)]


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
    access_file: Path | None = Field(
        None, validation_alias="ORDERFLOW_ACCESS_FILE", validate_default=True
    )
    apis_closed: bool = Field(default=False, validation_alias="ORDERFLOW_APIS_CLOSED")
    proxy_addresses: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_listed)] = (
        Field((), validation_alias="ORDERFLOW_PROXY_ADDRESSES")
    )
    proxy_user_header: HeaderName = Field(
        "x-auth-request-user", validation_alias="ORDERFLOW_PROXY_USER_HEADER"
    )
    proxy_groups_header: HeaderName = Field(
        "x-auth-request-groups", validation_alias="ORDERFLOW_PROXY_GROUPS_HEADER"
    )
    proxy_groups: dict[str, Roles] = Field(
        default_factory=dict, validation_alias="ORDERFLOW_PROXY_GROUPS"
    )
    public_hosts: Annotated[tuple[HostName, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), validation_alias="ORDERFLOW_PUBLIC_HOSTS"
    )
    session_hours: float = Field(8, gt=0, le=168, validation_alias="ORDERFLOW_SESSION_HOURS")
    cookies_secure: bool | None = Field(None, validation_alias="ORDERFLOW_COOKIES_SECURE")

    @field_validator("access_file")
    @classmethod
    def _required_beyond_loopback(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        host = info.data.get("http_host")
        if file is None and host is not None and not is_loopback(host):
            raise ValueError(
                f"must name the file of users and tokens, for {host} can be reached from elsewhere"
            )
        return file

    @property
    def is_local(self) -> bool:
        """Whether people's HTTP is served to this machine alone."""
        return is_loopback(self.http_host)

    @property
    def are_apis_closed(self) -> bool:
        """Whether the APIs want a token; beyond loopback nothing turns that off."""
        return self.apis_closed or not self.is_local

    @property
    def are_cookies_secure(self) -> bool:
        """Whether browsers may send cookies over TLS alone."""
        return not self.is_local if self.cookies_secure is None else self.cookies_secure

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
        for problem in error.errors():
            variable = _variable(settings, str(problem["loc"][0]))
            sys.stderr.write(f"cannot start: {variable}: {problem['msg']}\n")
        raise SystemExit(2) from None


def _variable(settings: type[ServiceSettings], name: str) -> str:
    """Name the variable that a field is read from."""
    field = settings.model_fields.get(name)
    if field is None:
        return name  # it is the variable's name already
    prefix = settings.model_config.get("env_prefix", "")
    return str(field.validation_alias or f"{prefix}{name.upper()}")
