"""A service's container, run even more strictly than Kubernetes' `restricted` standard demands."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from docker.models.containers import Container
from docker.models.images import Image

from orderflow_contracts.names import SERVICES
from orderflow_tools.containers.docker_api import ApiEngine
from orderflow_tools.free_ports import free_block

TOKEN = "a-token-for-tests-of-images"  # noqa: S105 - it opens nothing
ACCESS = "/etc/orderflow/access"
"""Where the cluster mounts the secret of that name."""
DATA = "/data"
"""The only writable folder: it replaces the database, which is elsewhere."""


class Running:
    """A container, and where its service answers."""

    def __init__(self, container: Container, port: int) -> None:
        self.container = container
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> httpx.Response | None:
        """Send a GET request; return None if no process listens."""
        try:
            return httpx.get(f"{self.url}{path}", timeout=10)
        except httpx.TransportError:
            return None

    def wait_for(self, what: str, look: Callable[[], Any], seconds: float = 60) -> Any:
        """Poll until the answer is true; fail at the deadline, or if the container ends."""
        until = time.monotonic() + seconds
        while not (found := look()):
            self.container.reload()
            assert self.container.status == "running", f"ended before {what}: {self.logs()}"
            assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}: {self.logs()}"
            time.sleep(0.05)
        return found

    def wait_until_alive(self) -> httpx.Response:
        """Wait for the first answer of its liveness probe, and return it."""
        answer: httpx.Response = self.wait_for("it is alive", lambda: self.get("/healthz"))
        return answer

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command inside as the service's user; return its exit code and output."""
        code, output = self.container.exec_run(list(command), stream=False)
        assert isinstance(output, bytes)
        return code or 0, output.decode()

    def ended(self, seconds: float) -> int:
        """Wait for the end, and return the exit code."""
        return int(self.container.wait(timeout=seconds)["StatusCode"])

    def logs(self) -> str:
        """Return the service's output."""
        return str(self.container.logs().decode())


@contextlib.contextmanager
def access_file() -> Iterator[Path]:
    """Write an access file without users; a service that listens beyond loopback needs one."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "access.json"
        path.write_text("{}")
        path.chmod(0o444)
        yield path


def migrate(engine: ApiEngine, image: Image, data: str, environment: dict[str, str]) -> None:
    """Migrate a service's database as the job in the cluster does, with nothing but its URL."""
    container = engine.client.containers.create(
        image,
        ["migrate"],
        environment=environment,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        volumes={data: {"bind": DATA, "mode": "rw"}},
        network_mode="none",
    )
    try:
        container.start()
        code = container.wait(timeout=60)["StatusCode"]
        assert code == 0, container.logs().decode()
    finally:
        container.remove(force=True)


@contextlib.contextmanager
def running(engine: ApiEngine, image: Image, app: str, **variables: str) -> Iterator[Running]:
    """Run a service's container for the duration of the block."""
    ports = free_block().apps[app]
    name, has_tables = app.upper(), SERVICES[app].has_tables
    environment = {
        f"{name}_HTTP_HOST": "127.0.0.1" if engine.network else "0.0.0.0",  # noqa: S104
        f"{name}_HTTP_PORT": str(ports.http),
        f"{name}_GRPC_PORT": str(ports.grpc),
        **({f"{name}_DATABASE_URL": f"sqlite:///{DATA}/{app}.db"} if has_tables else {}),
        "DAPR_HTTP_PORT": str(ports.dapr_http),
        "DAPR_GRPC_PORT": str(ports.dapr_grpc),
        "ORDERFLOW_ACCESS_FILE": f"{ACCESS}/access.json",
        **variables,
    }
    # If the engine has its own network, the port is published; otherwise it is the machine's.
    reached: dict[str, Any] = (
        {"network_mode": engine.network}
        if engine.network
        else {"ports": {f"{ports.http}/tcp": ("127.0.0.1", ports.http)}}
    )
    with access_file() as access, tempfile.TemporaryDirectory() as data:
        Path(data).chmod(0o1777)
        if has_tables:
            migrate(
                engine, image, data, {f"{name}_DATABASE_URL": environment[f"{name}_DATABASE_URL"]}
            )
        container = engine.client.containers.create(
            image,
            environment=environment,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            volumes={
                str(access.parent): {"bind": ACCESS, "mode": "ro"},
                data: {"bind": DATA, "mode": "rw"},
            },
            **reached,
        )
        try:
            container.start()
            yield Running(container, ports.http)
        finally:
            container.remove(force=True)
