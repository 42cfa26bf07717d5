import fcntl
from pathlib import Path

import pytest

from orderflow_tools.containers import engines, own_engine_process
from orderflow_tools.containers.buildah import BuildahEngine
from orderflow_tools.containers.sockets import answers
from orderflow_tools.errors import PlatformError


@pytest.fixture
def without_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave no program that could build an image."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engines, "_listening", lambda _kind: None)
    monkeypatch.setattr(engines, "is_root_on_debian", lambda: False)


@pytest.mark.usefixtures("without_engine")
def test_without_any_engine_the_error_names_the_remedy() -> None:
    """The error says that an engine must be started or installed."""
    with pytest.raises(PlatformError, match="start docker or podman"), engines.open_engine():
        pass


@pytest.mark.usefixtures("without_engine")
def test_buildah_is_enough_for_building(tmp_path: Path) -> None:
    """Buildah builds images, but cannot run the containers that tests need."""
    program(tmp_path, "exit 0")

    with engines.open_engine() as found:
        assert isinstance(found, BuildahEngine)
    with pytest.raises(PlatformError, match="start docker or podman"), engines.open_api():
        pass


def test_a_named_engine_must_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If an engine is named, no other is used in its place."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")

    with pytest.raises(PlatformError, match="No engine answers at DOCKER_HOST"):
        engines.open_engine().__enter__()


def test_a_socket_without_a_listener_is_no_engine(tmp_path: Path) -> None:
    """The socket of a dead engine does not count as an engine."""
    (tmp_path / "docker.sock").touch()

    assert answers([f"unix://{tmp_path}/docker.sock", f"unix://{tmp_path}/none"]) is None


def test_the_exclusive_lock_is_free_when_the_last_user_has_ended(tmp_path: Path) -> None:
    """The engine runs while a process uses it; a user's lock ends with the user, even if killed."""
    path = tmp_path / own_engine_process.USERS_LOCK
    with path.open("a") as exclusive:
        with path.open("a") as user, path.open("a") as other:
            assert own_engine_process.taken(user.fileno(), fcntl.LOCK_SH)
            assert own_engine_process.taken(other.fileno(), fcntl.LOCK_SH)
            user.close()
            assert not own_engine_process.taken(exclusive.fileno(), fcntl.LOCK_EX)
        assert own_engine_process.taken(exclusive.fileno(), fcntl.LOCK_EX)


def test_the_own_engine_does_not_touch_the_network(tmp_path: Path) -> None:
    """It creates no bridge and no firewall rules, and all its files are in its folder."""
    command = own_engine_process.command(tmp_path)

    assert {"--iptables=false", "--ip-forward=false", "--bridge=none"} <= set(command)
    for option in ("--host", "--data-root", "--exec-root", "--pidfile"):
        value = command[command.index(option) + 1]
        assert value.removeprefix("unix://").startswith(str(tmp_path))


def test_buildah_gets_tags_arguments_and_the_dockerfile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An image is built with all its tags, in layers that the next build reuses."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, f'for one in "$@"; do echo "$one"; done > {tmp_path}/arguments')

    BuildahEngine().build("FROM scratch\n", tmp_path, ["a:1", "a:2"], {"VERSION": "1"})

    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[:2] == ["build", "--layers"]
    assert {"--tag=a:1", "--tag=a:2", "--build-arg=VERSION=1"} <= set(arguments)
    assert arguments[-1] == str(tmp_path)


def test_buildahs_error_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A failed command shows why."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "echo no such base >&2; exit 3")

    with pytest.raises(PlatformError, match="no such base"):
        BuildahEngine().pull("a:1")


def program(folder: Path, script: str) -> None:
    """Put a fake buildah into a folder."""
    path = folder / "buildah"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
