"""The settings of every service, read from its environment once, at the start."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    Field,
    IPvAnyNetwork,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from orderflow_contracts import variables
from orderflow_contracts.access import Roles
from orderflow_hosting.hosts import Host, NotAHost
from orderflow_hosting.proxies import bypass_for_grpc
from orderflow_hosting.setting_types import (
    Address,
    DatabaseUrl,
    Hours,
    Port,
    PublicHost,
    Seconds,
    decoded,
)
from orderflow_hosting.start_up import START_SECONDS

NOT_CONFIGURED: Final = os.EX_CONFIG
"""The exit code when the configuration must be changed before a start can succeed."""


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is loopback, which no other machine can reach."""
    try:
        return Host.read(host).is_loopback
    except NotAHost:
        return False


def in_address(host: str) -> str:
    """Return a host as it is written before a port: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$", to_lower=True)]


class ProcessSettings(BaseSettings):
    """Settings that every process of a service has, whatever it does."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        enable_decoding=False,
        use_attribute_docstrings=True,  # the reference of settings shows them
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", validation_alias="LOG_LEVEL"
    )
    """The lowest level that is logged."""
    log_format: Literal["auto", "json", "console"] = Field("auto", validation_alias="LOG_FORMAT")
    """The format of the log; `auto` is `console` on a terminal and `json` elsewhere."""
    start_seconds: Seconds = Field(START_SECONDS, gt=0, validation_alias="ORDERFLOW_START_SECONDS")
    """How long the start waits for the database and the sidecar before it gives up."""

    @field_validator("*", mode="before")
    @classmethod
    def _decoded(cls, value: Any, info: ValidationInfo) -> Any:
        return decoded(value, cls.model_fields[str(info.field_name)].annotation)


class DatabaseSettings(ProcessSettings):
    """Settings of a process that uses the tables of a service."""

    database_url: DatabaseUrl
    """The database of the service: SQLite, or PostgreSQL as `postgresql+psycopg://…`."""


class ServiceSettings(ProcessSettings):
    """Settings that every service has; a service adds its own under its own prefix."""

    http_host: Address = "127.0.0.1"
    """The address on which the service serves people and programs."""
    http_port: Port
    """The port on which the service serves people and programs."""
    grpc_host: Address = "127.0.0.1"
    """The address on which the service serves its sidecar."""
    grpc_port: Port
    """The port on which the service serves its sidecar."""
    dapr_host: Address = Field("127.0.0.1", validation_alias="DAPR_RUNTIME_HOST")
    """The host of the service's sidecar."""
    dapr_http_port: Port = Field(validation_alias="DAPR_HTTP_PORT")
    """The HTTP port of the service's sidecar; `dapr run` sets it."""
    dapr_grpc_port: Port = Field(validation_alias="DAPR_GRPC_PORT")
    """The gRPC port of the service's sidecar; `dapr run` sets it."""
    app_api_token: SecretStr = Field(validation_alias="APP_API_TOKEN", min_length=16)
    """A secret that only the service and its sidecar know; `make run` generates one."""
    access_file: Path | None = Field(
        None, validation_alias="ORDERFLOW_ACCESS_FILE", validate_default=True
    )
    """The file of users and tokens; required if the service listens beyond loopback."""
    apis_closed: bool = Field(default=False, validation_alias="ORDERFLOW_APIS_CLOSED")
    """Whether the HTTP APIs require a token on loopback too; elsewhere they always do."""
    proxy_addresses: tuple[IPvAnyNetwork, ...] = Field(
        (), validation_alias="ORDERFLOW_PROXY_ADDRESSES"
    )
    """The addresses or networks of a proxy that signs people in."""
    proxy_user_header: HeaderName = Field(
        "x-auth-request-user", validation_alias="ORDERFLOW_PROXY_USER_HEADER"
    )
    """The header in which that proxy names the user."""
    proxy_groups_header: HeaderName = Field(
        "x-auth-request-groups", validation_alias="ORDERFLOW_PROXY_GROUPS_HEADER"
    )
    """The header in which that proxy lists the user's groups."""
    proxy_groups: dict[str, Roles] = Field(
        default_factory=dict, validation_alias="ORDERFLOW_PROXY_GROUPS"
    )
    """The roles of each group that the proxy names."""
    public_hosts: tuple[PublicHost, ...] = Field((), validation_alias="ORDERFLOW_PUBLIC_HOSTS")
    """The host names that browsers use, each with its port unless that is 80 or 443."""
    session_hours: Hours = Field(8, gt=0, le=168, validation_alias="ORDERFLOW_SESSION_HOURS")
    """How long a session lasts after a sign-in."""
    cookies_secure: bool | None = Field(None, validation_alias="ORDERFLOW_COOKIES_SECURE")
    """Whether cookies require TLS; unset: only if the service listens beyond loopback."""

    @field_validator("app_api_token")
    @classmethod
    def _sendable(cls, token: SecretStr) -> SecretStr:
        text = token.get_secret_value()
        if not text.isascii() or not text.isprintable() or text != text.strip():
            raise ValueError("must be printable ASCII without surrounding spaces")
        return token

    @field_validator("access_file")
    @classmethod
    def _required_beyond_loopback(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        host = info.data.get("http_host")
        if file is None and host is not None and not is_loopback(host):
            raise ValueError(
                f"must name the file of users and tokens: other machines can reach {host}"
            )
        return file

    @property
    def is_local(self) -> bool:
        """Whether HTTP is served only to this machine."""
        return is_loopback(self.http_host)

    @property
    def are_apis_closed(self) -> bool:
        """Whether the APIs require a token; beyond loopback they always do."""
        return self.apis_closed or not self.is_local

    @property
    def are_cookies_secure(self) -> bool:
        """Whether browsers may send cookies only over TLS."""
        return not self.is_local if self.cookies_secure is None else self.cookies_secure

    @property
    def sidecar_host(self) -> str:
        """The sidecar's host as a part of an address: IPv6 in brackets."""
        return in_address(self.dapr_host)

    @property
    def sidecar_grpc(self) -> str:
        """The address of the sidecar's gRPC API."""
        return f"{self.sidecar_host}:{self.dapr_grpc_port}"

    @property
    def sidecar_http(self) -> str:
        """The base URL of the sidecar's HTTP API."""
        return f"http://{self.sidecar_host}:{self.dapr_http_port}"


Settings = TypeVar("Settings", bound=ProcessSettings)


def load(
    settings: type[Settings],
    environment: Mapping[str, str] = os.environ,
    *,
    service: type[ServiceSettings] | None = None,
) -> Settings:
    """Read the settings, or exit with a line for each that is missing or wrong.

    If `settings` is only a part of a service's, `service` has all of them, so that the others are
    not reported as misspelt.
    """
    faults = dict(_misspelt(service or settings, environment))
    try:
        read = settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            field, *inside = map(str, problem["loc"])
            where = f"{'.'.join(inside)}: " if inside else ""
            fault = where + problem["msg"].removeprefix("Value error, ")
            faults.setdefault(variable_of(settings, field, environment), fault)
    if not faults:
        if isinstance(read, ServiceSettings):
            bypass_for_grpc(read.dapr_host)
        return read
    for variable, fault in faults.items():
        sys.stderr.write(f"cannot start: {printable(variable)}: {printable(fault)}\n")
    raise SystemExit(NOT_CONFIGURED)


def _misspelt(
    settings: type[ProcessSettings], environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Find variables with the service's prefix, or the common one, that nobody reads."""
    known = {name for field in settings.model_fields for name in _names(settings, field)}
    prefixes = {variables.PREFIX, str(settings.model_config["env_prefix"])} - {""}
    return variables.mistakes(environment, prefixes, known | variables.SHARED | variables.PORTS)


def variable_of(
    settings: type[ProcessSettings], name: str, environment: Mapping[str, str] = os.environ
) -> str:
    """Return the variable that a field, or its alias, was or would be read from."""
    given = {variable.upper() for variable, value in environment.items() if value}
    fields = settings.model_fields
    names = next(names for field in fields if name in (field, *(names := _names(settings, field))))
    return next((variable for variable in names if variable in given), names[0])


def _names(settings: type[ProcessSettings], field: str) -> list[str]:
    """Return the variables that a field is read from; the first one that is set counts."""
    own = f"{settings.model_config['env_prefix']}{field}".upper()
    alias = settings.model_fields[field].validation_alias
    if alias is None:
        return [own]
    return [str(alias), own] if settings.model_config.get("populate_by_name") else [str(alias)]


def printable(text: str) -> str:
    """Replace unprintable characters, which could control a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)
