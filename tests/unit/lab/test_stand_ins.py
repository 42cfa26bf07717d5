"""When a stand-in takes the place of a base image."""

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
