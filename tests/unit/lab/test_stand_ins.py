"""When a stand-in replaces a base image."""

import shutil
from pathlib import Path

import pytest

from fakes.container_engine import FakeEngine
from orderflow_lab import stand_ins
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import find_checkout

REDIS_FOLDER = find_checkout() / "lab" / "stand-ins" / "redis"


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Act as a user who cannot install packages."""
    monkeypatch.setattr(stand_ins, "is_root_on_debian", lambda: False)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Act as root on Debian."""
    monkeypatch.setattr(stand_ins, "is_root_on_debian", lambda: True)


def current_key() -> str:
    """Return the label of a stand-in for Redis that is up to date."""
    return stand_ins.stand_in_key(REDIS_FOLDER, stand_ins._authorities())


@pytest.mark.usefixtures("as_root")
def test_the_registry_comes_first() -> None:
    """A stand-in is only used if the real image is not available."""
    engine = FakeEngine(here={}, registry=[stand_ins.REDIS])

    assert stand_ins.provide(engine, [stand_ins.REDIS]) == []
    assert (engine.pulled, engine.built) == ([stand_ins.REDIS], [])


@pytest.mark.usefixtures("as_root")
def test_a_present_image_is_used_and_identified() -> None:
    """A real image is never replaced, and a stand-in is always reported."""
    real = FakeEngine(here={stand_ins.REDIS: None})
    made = FakeEngine(here={stand_ins.REDIS: current_key()})

    assert stand_ins.provide(real, [stand_ins.REDIS]) == []
    assert stand_ins.provide(made, [stand_ins.REDIS]) == [stand_ins.REDIS]
    assert (real.pulled, real.built, made.pulled, made.built) == ([], [], [], [])


@pytest.mark.usefixtures("as_root")
def test_an_outdated_stand_in_is_built_again() -> None:
    """If its sources have changed, the real image is tried first, and then it is built again."""
    engine = FakeEngine(here={stand_ins.REDIS: "outdated", stand_ins.BASE: None})

    assert stand_ins.provide(engine, [stand_ins.REDIS]) == [stand_ins.REDIS]
    assert engine.pulled == [stand_ins.REDIS]
    assert [tags for tags, _ in engine.built] == [[stand_ins.REDIS]]


@pytest.mark.usefixtures("as_user")
def test_without_a_registry_a_user_gets_the_reason() -> None:
    """The error has the engine's reason and says who can work without a registry."""
    with pytest.raises(PlatformError, match=r"(?s)no such host.*root on Debian"):
        stand_ins.provide(FakeEngine(here={}), [stand_ins.REDIS])


@pytest.mark.parametrize("name", sorted(path.name for path in REDIS_FOLDER.iterdir()))
def test_the_key_changes_with_each_file(tmp_path: Path, name: str) -> None:
    """The key identifies the sources of a stand-in."""
    copy = shutil.copytree(REDIS_FOLDER, tmp_path / "redis")
    assert stand_ins.stand_in_key(copy, b"") == stand_ins.stand_in_key(REDIS_FOLDER, b"")

    with (copy / name).open("a") as file:
        file.write("\n")

    assert stand_ins.stand_in_key(copy, b"") != stand_ins.stand_in_key(REDIS_FOLDER, b"")
    assert stand_ins.stand_in_key(copy, b"x") != stand_ins.stand_in_key(copy, b"")
