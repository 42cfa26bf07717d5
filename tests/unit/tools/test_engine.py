import fcntl
from pathlib import Path

import pytest

from orderflow_tools.containers import engines, own_engine_process
from orderflow_tools.containers.buildah import BuildahEngine
from orderflow_tools.containers.sockets import answers
from orderflow_tools.errors import PlatformError


@pytest.fixture
def without_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave nothing by which an image could be built."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engines, "_listening", lambda _kind: None)
    monkeypatch.setattr(engines, "is_root_on_debian", lambda: False)


@pytest.mark.usefixtures("without_engine")
def test_without_any_engine_it_says_what_to_do() -> None:
    """Whoever has no engine learns that one must be started or installed."""
    with pytest.raises(PlatformError, match="start docker or podman"), engines.open_engine():
        pass


@pytest.mark.usefixtures("without_engine")
def test_buildah_will_do_for_building_alone(tmp_path: Path) -> None:
    """Buildah builds images, and cannot run the containers that tests need."""
    program(tmp_path, "exit 0")

    with engines.open_engine() as found:
        assert isinstance(found, BuildahEngine)
    with pytest.raises(PlatformError, match="start docker or podman"), engines.open_api():
        pass


def test_an_engine_that_is_named_must_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever names an engine means it, and no other is taken in its place."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")

    with pytest.raises(PlatformError, match="No engine answers at DOCKER_HOST"):
        engines.open_engine().__enter__()


def test_a_socket_at_which_nobody_listens_is_no_engine(tmp_path: Path) -> None:
    """The file of an engine that has died does not pass for one."""
    (tmp_path / "docker.sock").touch()

    assert answers([f"unix://{tmp_path}/docker.sock", f"unix://{tmp_path}/none"]) is None


def test_the_keeper_gets_the_lock_when_the_last_user_has_gone(tmp_path: Path) -> None:
    """As long as one uses the engine it runs; the lock goes with the user, however that ends."""
    path = tmp_path / own_engine_process.USERS_LOCK
    with path.open("a") as keeper:
        with path.open("a") as user, path.open("a") as other:
            assert own_engine_process.taken(user.fileno(), fcntl.LOCK_SH)
            assert own_engine_process.taken(other.fileno(), fcntl.LOCK_SH)
            user.close()
            assert not own_engine_process.taken(keeper.fileno(), fcntl.LOCK_EX)
        assert own_engine_process.taken(keeper.fileno(), fcntl.LOCK_EX)


def test_an_own_engine_touches_nothing_of_the_network(tmp_path: Path) -> None:
    """It makes no bridge and no rule of a firewall, and all that it keeps is in its folder."""
    command = own_engine_process.command(tmp_path)

    assert {"--iptables=false", "--ip-forward=false", "--bridge=none"} <= set(command)
    for option in ("--host", "--data-root", "--exec-root", "--pidfile"):
        value = command[command.index(option) + 1]
        assert value.removeprefix("unix://").startswith(str(tmp_path))


def test_buildah_is_given_names_arguments_and_the_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An image is built under all its names, in layers that the next build takes again."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, f'for one in "$@"; do echo "$one"; done > {tmp_path}/told')

    BuildahEngine().build("FROM scratch\n", tmp_path, ["a:1", "a:2"], {"VERSION": "1"})

    told = (tmp_path / "told").read_text().splitlines()
    assert told[:2] == ["build", "--layers"]
    assert {"--tag=a:1", "--tag=a:2", "--build-arg=VERSION=1"} <= set(told)
    assert told[-1] == str(tmp_path)


def test_what_buildah_says_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A build that fails shows why."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "echo no such base >&2; exit 3")

    with pytest.raises(PlatformError, match="no such base"):
        BuildahEngine().pull("a:1")


def program(folder: Path, script: str) -> None:
    """Put a stand-in for buildah into a folder."""
    path = folder / "buildah"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
