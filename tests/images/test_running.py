import os
import time

from docker.models.images import Image

from images.running import TOKEN, running
from orderflow_tools.containers.docker_api import ApiEngine

SIGTERM_CAUGHT = 1 << 14


def facts(status: str) -> dict[str, str]:
    """Read facts about a process from /proc."""
    return dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)


def test_it_runs_without_rights_that_it_does_not_need(
    engine: ApiEngine, image: Image, app: str
) -> None:
    """Without root, capabilities, writable files and a sidecar, it is alive but not ready."""
    with running(engine, image, app, APP_API_TOKEN=TOKEN) as service:
        alive = service.wait_until_alive()
        ready = service.get("/readyz")
        _, status = service.run("cat", "/proc/1/status")
        _, command = service.run("cat", "/proc/1/cmdline")
        code, words = service.run("python", "-c", "open('/opt/orderflow/x', 'w')")

        assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
        assert ready is not None
        assert ready.status_code == 503
        assert ready.json()["checks"]["sidecar"] != "ok"
        assert command.split("\0")[:3] == ["python", "-m", app]
        process = facts(status)
        assert process["Uid"].split() == ["10001"] * 4
        assert process["Gid"].split() == ["10001"] * 4
        assert {int(process[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}
        assert process["NoNewPrivs"] == "1"
        assert (code, "Read-only file system" in words) == (1, True)


def test_it_stops_at_sigterm(engine: ApiEngine, image: Image, app: str) -> None:
    """On SIGTERM it ends cleanly and quickly, as a rollout needs it."""
    with running(engine, image, app, APP_API_TOKEN=TOKEN) as service:
        service.wait_until_alive()
        begun = time.monotonic()

        service.container.kill("SIGTERM")

        assert service.ended(20) == 0
        assert time.monotonic() - begun < 8
        assert '"stopping"' in service.logs()


def test_it_stops_during_its_start(engine: ApiEngine, image: Image, app: str) -> None:
    """PID 1 ignores a signal without a handler, and imports take a while."""
    with running(engine, image, app, APP_API_TOKEN=TOKEN) as service:
        service.wait_for(
            "it has a handler",
            lambda: (
                int(facts(service.run("cat", "/proc/1/status")[1])["SigCgt"], 16) & SIGTERM_CAUGHT
            ),
        )

        service.container.kill("SIGTERM")

        assert service.ended(20) == 0
        assert "serving" not in service.logs()


def test_it_names_a_missing_secret(engine: ApiEngine, image: Image, app: str) -> None:
    """No image contains a secret: without it, the process ends with a line that names it."""
    with running(engine, image, app) as service:
        code = service.ended(60)

        assert code == os.EX_CONFIG
        assert service.logs() == "cannot start: APP_API_TOKEN: Field required\n"


def test_it_does_not_listen_to_a_network_without_an_access_file(
    engine: ApiEngine, image: Image, app: str
) -> None:
    """A service that should listen beyond loopback names the missing setting, and ends first."""
    elsewhere = {f"{app.upper()}_HTTP_HOST": "0.0.0.0", "ORDERFLOW_ACCESS_FILE": ""}  # noqa: S104
    with running(engine, image, app, APP_API_TOKEN=TOKEN, **elsewhere) as service:
        code = service.ended(60)

        assert code == os.EX_CONFIG
        assert service.logs().startswith("cannot start: ORDERFLOW_ACCESS_FILE: ")
        assert service.logs().count("\n") == 1
