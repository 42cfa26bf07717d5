"""A PostgreSQL server for tests: found or installed, started, killed and stopped."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, Self

from psycopg import sql

from orderflow_tools.databases import connect, server_answers
from orderflow_tools.debian import install, is_root_on_debian
from orderflow_tools.errors import PlatformError
from orderflow_tools.free_ports import find_free_ports
from orderflow_tools.ports import LOOPBACK

SUPERUSER: Final = "orderflow"
START_TIMEOUT: Final = 60.0
PAUSE: Final = 0.05
UNPRIVILEGED: Final = ("postgres", "nobody")
"""The users to run the server as if this process is root, which PostgreSQL refuses."""
DEBIAN_PROGRAMS: Final = Path("/usr/lib/postgresql")
DEBIAN_CONFIGURATION: Final = Path("/etc/postgresql-common/createcluster.conf")


class PostgresServer:
    """A server on a free loopback port, with its data in a temporary folder.

    Its only user has a random password. Everything is removed at the end; until then the server
    may be killed and started again on the same data and port.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._password = secrets.token_urlsafe(16)
        self._identity = _identity()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="orderflow-postgres-"))
        (self._port,) = find_free_ports(1)

    def __enter__(self) -> Self:
        try:
            self._create()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The server's URL, without a database."""
        return f"postgresql://{SUPERUSER}:{self._password}@{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Start the server and return when it answers; after a kill it recovers first.

        On Linux the server ends when the thread that calls this ends, even if it is killed.
        """
        command = [*_ending_with_this_process(), self._program("postgres"), "-D", str(self._data)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._identity
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not server_answers(self.url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_text = (self._folder / "log").read_text(errors="replace")
                raise PlatformError(f"PostgreSQL does not start. Its log:\n{log_text[-2000:]}")
            time.sleep(PAUSE)

    def kill(self) -> None:
        """Kill the server, as a crash would: it writes nothing more."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """Stop the server cleanly, without waiting for its clients."""
        self._end(signal.SIGINT)

    def set_read_only(self, *, on: bool) -> None:
        """Refuse all writes, as a former primary does after a failover, or accept them again."""
        with connect(self.url) as connection:
            value = sql.Literal("on" if on else "off")
            statement = sql.SQL("ALTER SYSTEM SET default_transaction_read_only = {}")
            connection.execute(statement.format(value))
            connection.execute("SELECT pg_reload_conf()")

    def close(self) -> None:
        """Stop the server, and remove its data."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _program(self, name: str) -> str:
        return str(self._programs / name)

    def _create(self) -> None:
        password_file = self._folder / "password"
        password_file.write_text(self._password)
        if "user" in self._identity:
            for path in (self._folder, password_file):
                os.chown(path, self._identity["user"], self._identity["group"])
        _run(
            [
                *(self._program("initdb"), "-D", str(self._data), "-U", SUPERUSER),
                *("--auth=scram-sha-256", f"--pwfile={password_file}"),
                *("--encoding=UTF8", "--locale=C"),
            ],
            **self._identity,
        )
        password_file.unlink()
        settings = {
            "listen_addresses": f"'{LOOPBACK}'",
            "port": str(self._port),
            "unix_socket_directories": "''",
            "max_connections": "300",
        }
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())

    def _end(self, signal_number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal_number)
        try:
            process.wait(START_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def find_postgres() -> Path:
    """Return the folder of PostgreSQL's programs; install them if possible.

    They are searched on the PATH and where Debian installs them, the newest first. Raises
    PlatformError, which names what to install.
    """
    return _found() or _installed()


def _found() -> Path | None:
    if program := shutil.which("initdb"):
        return Path(program).resolve().parent
    installed = DEBIAN_PROGRAMS.glob("*/bin/initdb")
    versions = sorted(installed, key=lambda path: float(path.parts[-3]), reverse=True)
    return versions[0].parent if versions else None


def _installed() -> Path:
    if not is_root_on_debian():
        raise PlatformError(
            "There is no PostgreSQL server (initdb, postgres) on the PATH or in "
            "/usr/lib/postgresql. Install it (on Debian and Ubuntu the package `postgresql`), and "
            "try again."
        )
    if not DEBIAN_CONFIGURATION.exists():
        DEBIAN_CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
        DEBIAN_CONFIGURATION.write_text("create_main_cluster = false\n")
    install("postgresql")
    found = _found()
    if found is None:
        raise PlatformError("apt-get has installed `postgresql`, but there is no initdb.")
    return found


def _ending_with_this_process() -> list[str]:
    program = shutil.which("setpriv") if sys.platform == "linux" else None
    return [program, "--pdeathsig", "INT", "--"] if program else []


def _identity() -> dict[str, Any]:
    """Return the options that start a process as another user if this one is root."""
    if os.geteuid() != 0:
        return {}
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}
    raise PlatformError(f"PostgreSQL refuses root, and there is no user {UNPRIVILEGED[0]}.")


def _run(command: list[str], **options: Any) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, **options
    )
    if done.returncode != 0:
        raise PlatformError(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")
