import os
import re
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import PurePath
from typing import cast

import pytest
from docker.models.images import Image

from orderflow_contracts.names import LOCAL_PORTS
from orderflow_lab.stand_ins import PYTHON
from orderflow_tools.containers.docker_api import PROXIES, ApiEngine
from orderflow_tools.containers.images import build_arguments, image_name, revision_of
from orderflow_tools.settings import APPS, find_checkout

OWN_MEGABYTES = 130
"""What an image may add to its base; it was 105 when this was written."""
SITE = "opt/orderflow/lib/python3.11/site-packages"
COMPILERS = re.compile(r"(^|/)bin/(.*-)?(cc|gcc|g\+\+|c\+\+|clang|ld|make|cargo|go)(-[\d.]+)?$")
UNWANTED = re.compile(r"(^|/)(pip-cache|\.cache/pip|\.git|\.orderflow|\.venv)(/|$)|^build(/|$)")


@pytest.fixture(scope="module")
def contents(engine: ApiEngine, built: list[str]) -> "dict[str, list[tarfile.TarInfo]]":
    """Return the files of each image, by its name."""
    return {name: list(files_of(engine, name)) for name in built}


@pytest.fixture
def files(app: str, contents: "dict[str, list[tarfile.TarInfo]]") -> list[tarfile.TarInfo]:
    """Return the files of a service's image."""
    return contents[image_name(app)]


def files_of(engine: ApiEngine, image: str) -> Iterator[tarfile.TarInfo]:
    """Return the files of an image as a container sees them."""
    container = engine.client.containers.create(image)
    try:
        with tempfile.TemporaryFile() as file:
            for chunk in container.export():
                file.write(cast(bytes, chunk))  # its types are wrong
            file.seek(0)
            with tarfile.open(fileobj=file) as archive:
                yield from archive
    finally:
        container.remove()


def test_it_runs_as_an_unprivileged_user(image: Image, app: str) -> None:
    """The user is a number, so Kubernetes sees that it is not root, and has its own probes."""
    config = image.attrs["Config"]

    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["service"]
    assert not config.get("Cmd")
    assert not config.get("Healthcheck")
    ports = LOCAL_PORTS[app]
    assert set(config["ExposedPorts"]) == {f"{ports.http}/tcp", f"{ports.grpc}/tcp"}


def test_labels_say_what_it_is(image: Image, app: str) -> None:
    """The labels of an image in a registry name its service and the commit it was built from."""
    root = find_checkout()
    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in image.labels.items()
    }

    assert labels["title"] == f"Orderflow {app}"
    assert labels["description"] == build_arguments(root, app)["DESCRIPTION"]
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"] == build_arguments(root, app)["VERSION"]
    assert labels["revision"] == revision_of(root)
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", labels["revision"])


def test_nothing_of_the_building_machine_is_in_it(image: Image) -> None:
    """Its history and its environment contain neither a proxy nor a package index."""
    told = repr(image.history()) + repr(image.attrs["Config"]["Env"])

    for name in PROXIES:
        assert os.environ.get(name) is None or os.environ[name] not in told
    assert "PIP_" not in told
    assert "index-url" not in told


def test_it_is_small(engine: ApiEngine, image: Image) -> None:
    """It adds only a limited number of megabytes to its base."""
    base = engine.client.images.get(PYTHON)

    own = (image.attrs["Size"] - base.attrs["Size"]) / 1e6

    assert 20 < own < OWN_MEGABYTES


def test_all_services_share_the_layer_of_the_dependencies(
    engine: ApiEngine, built: list[str]
) -> None:
    """A node that has one service's image pulls little for the next one."""
    layers = [engine.client.images.get(name).attrs["RootFS"]["Layers"] for name in built]

    shared = set(layers[0]).intersection(*layers[1:])

    assert [len(own) - len(shared) for own in layers] == [1 for _ in APPS]


def test_only_what_runs_is_inside(files: list[tarfile.TarInfo], app: str) -> None:
    """It has no other service, compiler, cache, test or build tool."""
    names = [file.name for file in files]
    packages = {PurePath(name).parts[5] for name in names if name.startswith(f"{SITE}/")}

    assert f"{SITE}/{app}/main.py" in names
    assert {"orderflow_contracts", "orderflow_hosting", app} <= packages
    assert not packages & (set(APPS) - {app})
    assert not packages & {"pip", "setuptools", "hatchling", "pytest", "orderflow_tools"}
    assert not [name for name in names if COMPILERS.search(name) or UNWANTED.search(name)]
    own = [PurePath(name) for name in names if name.startswith("opt/orderflow/")]
    assert not [path for path in own if {"test", "tests"} & set(path.parts)]
    assert not [path for path in own if path.suffix in {".pth", ".lock"}]


def test_all_of_it_is_compiled(files: list[tarfile.TarInfo]) -> None:
    """The root is read-only, so missing bytecode would be compiled at each start."""
    names = {file.name for file in files}
    sources = [
        PurePath(name)
        for name in names
        if name.startswith(("opt/orderflow/", "usr/local/lib/python3.11/", "usr/lib/python3.11/"))
        and name.endswith(".py")
        and not re.search(r"/(test|idlelib|lib2to3|ensurepip|tkinter|turtledemo)/", name)
    ]

    missing = [
        path
        for path in sources
        if str(path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc") not in names
    ]

    assert len(sources) > 1000
    assert missing == []


def test_the_user_can_change_nothing(files: list[tarfile.TarInfo]) -> None:
    """The service owns no file, and none is writable by everyone."""
    users = {file.name for file in files if file.uid == 10001 or file.gid == 10001}
    open_to_all = {
        file.name
        for file in files
        if not file.issym() and file.mode & stat.S_IWOTH and not file.mode & stat.S_ISVTX
    }

    assert (users, {name for name in open_to_all if not name.startswith("dev/")}) == (set(), set())
