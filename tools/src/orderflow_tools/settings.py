"""Where one run of the platform stores data and listens; the only reader of the environment."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

from orderflow_contracts import variables
from orderflow_contracts.names import APPROVALS, ORDERS, SERVICES
from orderflow_tools.brokers import names
from orderflow_tools.databases import VARIABLE, WITH_TABLES, Databases
from orderflow_tools.errors import PlatformError
from orderflow_tools.free_ports import free_block
from orderflow_tools.ports import LOOPBACK, Ports

APPS: Final = tuple(SERVICES)
ACCESS_FILE: Final = "ORDERFLOW_ACCESS_FILE"
FOR_CLIENTS: Final = ("ORDERFLOW_TOKEN", "ORDERFLOW_TOKEN_FILE")
"""The user's credentials for services, which no process of a run needs."""


def find_checkout() -> Path:
    """Return the checkout that this package is installed from."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "dapr.yaml").exists():
        raise PlatformError(f"There is no dapr.yaml in {root}: these tools work in a checkout.")
    return root


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One run: the checkout, the folder for its files, its ports, and extra variables.

    `environment` is passed to the services and overrides what follows from ports and folders.
    `databases` are on PostgreSQL; without them, each application has an SQLite file in the run's
    data folder.
    """

    root: Path
    home: Path
    ports: Ports
    environment: Mapping[str, str] = field(default_factory=dict)
    databases: Databases | None = None
    broker: str = names.REDIS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read ORDERFLOW_HOME, the ports and the server: see docs/reference/settings.md."""
        root = find_checkout()
        for name, fault in variables.mistakes(environment, [variables.PREFIX], variables.SHARED):
            raise PlatformError(f"{name}: {fault}.")
        postgres = environment.get(VARIABLE)
        home = _path("ORDERFLOW_HOME", environment.get("ORDERFLOW_HOME") or root / ".orderflow")
        return cls(
            root=root,
            home=home.resolve(),
            ports=Ports.from_environment(environment),
            environment={k: v for k, v in environment.items() if is_for_services(k) and v},
            databases=Databases.at(postgres) if postgres else None,
            broker=names.chosen(environment),
        )

    @classmethod
    def of_command(cls) -> Self:
        """Read this process's environment; without a broker there, continue on that of the data."""
        made = cls.from_environment()
        if os.environ.get(names.VARIABLE):
            return made
        return replace(made, broker=names.recorded(made.data) or made.broker)

    @classmethod
    def isolated(
        cls, home: Path, databases: Databases | None = None, /, **environment: str
    ) -> Self:
        """Return the settings of a run apart from all others: its own folder and free ports."""
        return cls(
            root=find_checkout(),
            home=home.resolve(),
            ports=free_block(),
            environment=environment,
            databases=databases,
        )

    @property
    def is_default(self) -> bool:
        """Whether the root dapr.yaml and the components describe this run as they are."""
        is_moved = self.home != self.root / ".orderflow" or self.databases is not None
        is_other = is_moved or self.broker != names.REDIS
        return not is_other and self.ports == Ports.from_environment({})

    @property
    def data(self) -> Path:
        """The data that survives a stop: the broker's file, the databases, the scheduler's jobs."""
        return self.home / "data"

    @property
    def logs(self) -> Path:
        """The logs, one for each process."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """Pids, generated files and the token of the current run."""
        return self.home / "run"

    @property
    def access_file(self) -> Path:
        """The file that says who may sign in and which tokens are valid."""
        named = self.environment.get(ACCESS_FILE)
        return _path(ACCESS_FILE, named).absolute() if named else self.home / "access.json"

    @property
    def token_file(self) -> Path:
        """A token for the user who runs this, readable by that user only."""
        return self.home / "token"

    @property
    def first_user_file(self) -> Path:
        """The first user's name and generated password, readable by the same user only."""
        return self.home / "first-user"

    @property
    def python(self) -> str:
        """The interpreter for the services, which is the one that runs these tools."""
        return sys.executable

    def url(self, app: str) -> str:
        """Return the URL of a service."""
        return f"http://{LOOPBACK}:{self.ports.apps[app].http}"

    def sidecar_url(self, app: str) -> str:
        """Return the URL of a service's sidecar."""
        return f"http://{LOOPBACK}:{self.ports.apps[app].dapr_http}"

    def client_environment(self) -> dict[str, str]:
        """Return the variables that point the `orderflow` command at this run."""
        urls = {
            variable: self.url(app)
            for app in APPS
            if (variable := f"ORDERFLOW_{app.upper()}_URL") in variables.FOR_CLIENTS
        }
        return {
            **urls,
            "ORDERFLOW_SIDECAR_URL": self.sidecar_url(ORDERS),
            "ORDERFLOW_HOME": str(self.home),
            ACCESS_FILE: str(self.access_file),
        }

    def service_environment(self) -> dict[str, str]:
        """Return the variables that say where the services listen and store their data."""
        ports = {variable: str(port) for variable, port in self.ports.by_variable()}
        databases: Mapping[str, str] = {
            f"{app}_DATABASE_URL".upper(): f"sqlite:///{self.data / app}.db" for app in WITH_TABLES
        }
        if self.databases is not None:
            databases = self.databases.environment()
        sites = {"APPROVALS_BOARD_URL": self.url(ORDERS), "ORDERS_INBOX_URL": self.url(APPROVALS)}
        return {
            **ports,
            **databases,
            **sites,
            "ORDERFLOW_HOME": str(self.home),
            **self.environment,
            ACCESS_FILE: str(self.access_file),
        }


def _path(variable: str, text: str | Path) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise PlatformError(f"{variable}: there is no user with the name in {text}.") from None


def is_for_services(variable: str) -> bool:
    """Return whether an environment variable configures a service."""
    own = tuple(f"{app.upper()}_" for app in APPS)
    return variable.startswith(own) or variable in variables.FOR_SERVICES


def is_inherited(variable: str) -> bool:
    """Return whether started processes inherit a variable of this process."""
    return not is_for_services(variable) and variable not in FOR_CLIENTS
