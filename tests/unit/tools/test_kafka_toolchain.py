"""Kafka's jars and the programs that fetch and run them."""

import hashlib
from pathlib import Path

import pytest

from orderflow_tools import debian
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import find_checkout
from orderflow_tools.toolchain import java, kafka
from orderflow_tools.toolchain.cache import key_of

PINS = find_checkout() / "tools" / "kafka-toolchain"


def program(folder: Path, name: str, script: str) -> Path:
    """Write a program that is a shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def java_of(folder: Path, version: str) -> Path:
    """Write a Java that reports a version, on standard error as the real one does."""
    return program(folder, "java", f"""echo 'openjdk version "{version}" 2025-04-15' >&2""")


def pins_of(folder: Path, **contents: bytes) -> Path:
    """Write a list that pins files with these contents."""
    folder.mkdir()
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in contents.items()]
    (folder / "jars.sha256").write_text("\n".join(lines) + "\n")
    (folder / "pom.xml").write_text("<project/>")
    return folder


@pytest.fixture
def _no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a user who cannot install packages."""
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: False)


def test_the_pinned_version_is_the_one_that_is_named() -> None:
    """The version in the messages is the one that Maven fetches."""
    text = (PINS / "pom.xml").read_text()

    assert f"<artifactId>kafka_2.13</artifactId>\n      <version>{kafka.KAFKA_VERSION}<" in text
    assert f"  kafka_2.13-{kafka.KAFKA_VERSION}.jar" in (PINS / "jars.sha256").read_text()


def test_jars_in_the_cache_are_used_without_maven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first time, no network and no Maven is needed."""
    java_of(tmp_path / "bin", "17.0.15")
    environment = {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path)}
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    key = key_of(PINS, kafka.PINS, kafka.KAFKA_VERSION)
    jars = tmp_path / "orderflow" / f"kafka-{key}"
    jars.mkdir(parents=True)

    assert kafka.find_kafka(find_checkout(), environment).jars == jars


def test_fetched_jars_are_compared_with_their_pins(tmp_path: Path) -> None:
    """Files that are changed, missing or added are named."""
    pins = pins_of(tmp_path / "pins", **{"a.jar": b"a", "b.jar": b"b", "c.jar": b"c"})
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    for name, data in {"a.jar": b"a", "b.jar": b"changed", "d.jar": b"d"}.items():
        (fetched / name).write_bytes(data)

    with pytest.raises(PlatformError, match=r"lists: b\.jar, c\.jar, d\.jar\."):
        kafka.check_jars(pins, fetched)


def test_a_failed_fetch_leaves_nothing_and_shows_mavens_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start then fetches again."""
    root, cache = tmp_path / "root", tmp_path / "cache" / "orderflow"
    (root / "tools").mkdir(parents=True)
    pins_of(root / "tools" / "kafka-toolchain")
    bin_folder = java_of(tmp_path / "bin", "21.0.1").parent
    program(bin_folder, "mvn", "echo 'Could not transfer artifact'\nexit 1")
    monkeypatch.setenv("PATH", f"{bin_folder}:/bin:/usr/bin")
    environment = {"PATH": str(bin_folder), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    with pytest.raises(PlatformError, match="Could not transfer artifact"):
        kafka.find_kafka(root, environment)

    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_java_home_is_tried_before_the_path(tmp_path: Path) -> None:
    """A Java that is too old is passed over."""
    new = java_of(tmp_path / "new" / "bin", "21.0.1")
    old = java_of(tmp_path / "old" / "bin", "11.0.2")

    for home, path in ((new, old), (old, new)):
        environment = {"JAVA_HOME": str(home.parent.parent), "PATH": str(path.parent)}
        assert java.find_java(environment).program == new


@pytest.mark.usefixtures("_no_packages")
@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2", ""])
def test_without_a_new_java_the_error_names_it(tmp_path: Path, version: str) -> None:
    """Whoever cannot have it installed automatically learns what to install."""
    java_of(tmp_path, version)

    with pytest.raises(PlatformError, match="Kafka needs Java 17 or newer"):
        java.find_java({"PATH": str(tmp_path)})


@pytest.mark.usefixtures("_no_packages")
def test_without_maven_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maven is needed only once."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PlatformError, match="needs Maven, and there is no mvn"):
        java.find_maven()


def test_root_on_debian_gets_java_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is installed, and its Java is used."""
    installed: list[str] = []

    def install(*packages: str) -> None:
        installed.extend(packages)
        java_of(tmp_path, "17.0.15")

    monkeypatch.setattr(debian, "is_root_on_debian", lambda: True)
    monkeypatch.setattr(debian, "install", install)

    assert java.find_java({"PATH": str(tmp_path)}).program == tmp_path / "java"
    assert installed == ["default-jre-headless"]
