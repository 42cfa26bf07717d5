import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orderflow_contracts.names import LOCAL_PORTS
from orderflow_tools import images, stand_ins
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import APPS, find_checkout

REDIS_FOLDER = find_checkout() / "tools" / "stand-ins" / "redis"


class FakeEngine:
    """An engine that has what it is given, and fetches what its registry has."""

    origin = "a fake"

    def __init__(self, *, here: Mapping[str, str | None], registry: Sequence[str] = ()) -> None:
        self.here = dict(here)
        self.registry = registry
        self.built: list[tuple[list[str], dict[str, str]]] = []
        self.pulled: list[str] = []

    def has(self, image: str) -> bool:
        return image in self.here

    def label(self, image: str, name: str) -> str | None:
        assert name == stand_ins.LABEL
        return self.here[image]

    def pull(self, image: str) -> None:
        self.pulled.append(image)
        if image not in self.registry:
            raise PlatformError(f"{image} could not be fetched: no such host")
        self.here[image] = None

    def build(
        self,
        dockerfile: str,
        context: Path,
        tags: Sequence[str],
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        assert context.is_dir()
        assert dockerfile.startswith("#")
        self.built.append((list(tags), dict(arguments or {})))

    def save(self, image: str, archive: Path) -> None:
        archive.write_text(image)


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be one who may not install packages."""
    monkeypatch.setattr(stand_ins, "is_root_on_debian", lambda: False)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be root on a Debian."""
    monkeypatch.setattr(stand_ins, "is_root_on_debian", lambda: True)


def current_key() -> str:
    """Return the label of a stand-in for Redis that is up to date."""
    return stand_ins.stand_in_key(REDIS_FOLDER, stand_ins._authorities())


@pytest.mark.usefixtures("as_root")
def test_the_registry_comes_first() -> None:
    """A stand-in is for want of the real image alone."""
    engine = FakeEngine(here={}, registry=[stand_ins.REDIS])

    assert stand_ins.provide(engine, [stand_ins.REDIS]) == []
    assert (engine.pulled, engine.built) == ([stand_ins.REDIS], [])


@pytest.mark.usefixtures("as_root")
def test_what_is_here_is_taken_and_told_apart() -> None:
    """A real image is never replaced, and a stand-in is always called one."""
    real = FakeEngine(here={stand_ins.REDIS: None})
    made = FakeEngine(here={stand_ins.REDIS: current_key()})

    assert stand_ins.provide(real, [stand_ins.REDIS]) == []
    assert stand_ins.provide(made, [stand_ins.REDIS]) == [stand_ins.REDIS]
    assert (real.pulled, real.built, made.pulled, made.built) == ([], [], [], [])


@pytest.mark.usefixtures("as_root")
def test_a_stand_in_of_other_files_is_built_anew() -> None:
    """When what it is made from has changed, an old stand-in will not do, and a real one might."""
    engine = FakeEngine(here={stand_ins.REDIS: "of long ago", stand_ins.BASE: None})

    assert stand_ins.provide(engine, [stand_ins.REDIS]) == [stand_ins.REDIS]
    assert engine.pulled == [stand_ins.REDIS]
    assert [tags for tags, _ in engine.built] == [[stand_ins.REDIS]]


@pytest.mark.usefixtures("as_user")
def test_without_a_registry_a_user_learns_why_it_ends() -> None:
    """The engine's reason is told, and who could go on without a registry."""
    with pytest.raises(PlatformError, match=r"(?s)no such host.*root on Debian"):
        stand_ins.provide(FakeEngine(here={}), [stand_ins.REDIS])


@pytest.mark.parametrize("name", sorted(path.name for path in REDIS_FOLDER.iterdir()))
def test_the_key_changes_with_each_file(tmp_path: Path, name: str) -> None:
    """A stand-in says what it was made from."""
    copy = shutil.copytree(REDIS_FOLDER, tmp_path / "redis")
    assert stand_ins.stand_in_key(copy, b"") == stand_ins.stand_in_key(REDIS_FOLDER, b"")

    with (copy / name).open("a") as file:
        file.write("\n")

    assert stand_ins.stand_in_key(copy, b"") != stand_ins.stand_in_key(REDIS_FOLDER, b"")
    assert stand_ins.stand_in_key(copy, b"x") != stand_ins.stand_in_key(copy, b"")


def test_each_service_gets_its_names_and_its_origin() -> None:
    """An image is known as the one built last and by its version, and carries the commit."""
    engine = FakeEngine(here={stand_ins.PYTHON: None})

    names = images.build_images(engine)

    assert names == [f"docker.io/orderflow/{app}:dev" for app in APPS]
    assert [tags for tags, _ in engine.built] == [
        [f"docker.io/orderflow/{app}:dev", f"docker.io/orderflow/{app}:0.1.0"] for app in APPS
    ]
    for app, (_, arguments) in zip(APPS, engine.built, strict=True):
        ports = LOCAL_PORTS[app]
        assert (arguments["SERVICE"], arguments["VERSION"]) == (app, "0.1.0")
        assert (arguments["HTTP_PORT"], arguments["GRPC_PORT"]) == (
            str(ports.http),
            str(ports.grpc),
        )
        assert arguments["REVISION"] == images.revision_of(find_checkout())


def committed(folder: Path) -> Path:
    """Make a repository with one commit."""
    for command in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "--message=one"]):
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        git = shutil.which("git") or "git"
        subprocess.run([git, "-C", folder, *identity, *command], check=True)
    return folder


def test_the_revision_is_the_commit(tmp_path: Path) -> None:
    """An image says which sources it was built from."""
    assert re.fullmatch("[0-9a-f]{40}", images.revision_of(committed(tmp_path)))


def test_without_git_the_revision_is_unknown(tmp_path: Path) -> None:
    """Sources that come without their history can be built, also within another repository."""
    archive = committed(tmp_path) / "archive"
    archive.mkdir()

    assert images.revision_of(archive) == "unknown"


def test_saved_images_are_files_of_their_own(tmp_path: Path) -> None:
    """Each image can be loaded by itself."""
    names = ["docker.io/orderflow/orders:dev", "docker.io/orderflow/orders:0.1.0"]

    archives = images.save_images(FakeEngine(here={}), names, tmp_path / "archives")

    assert [archive.read_text() for archive in archives] == names
    assert len(set(archives)) == 2
