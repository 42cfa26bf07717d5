"""One engine and one build of the images for all tests here."""

from collections.abc import Iterator

import pytest
from docker.models.images import Image

from isolation import on_the_machine
from orderflow_lab.images import build_images_anywhere
from orderflow_tools.containers.docker_api import ApiEngine
from orderflow_tools.containers.engines import open_api
from orderflow_tools.containers.images import image_name
from orderflow_tools.settings import APPS


@pytest.fixture(scope="package", autouse=True)
def machine() -> Iterator[None]:
    """Let images be built, fetched and run with the machine's network and its user's settings."""
    with on_the_machine():
        yield


@pytest.fixture(scope="package")
def engine() -> Iterator[ApiEngine]:
    """Use the engine that `make images` would use; without one, every test here fails."""
    with open_api() as engine:
        yield engine


@pytest.fixture(scope="package")
def built(engine: ApiEngine) -> list[str]:
    """Build the images; if nothing has changed, the engine has them already."""
    return build_images_anywhere(engine)


@pytest.fixture(params=APPS)
def app(request: pytest.FixtureRequest) -> str:
    """Return each service in turn."""
    return str(request.param)


@pytest.fixture
def image(app: str, engine: ApiEngine, built: list[str]) -> Image:
    """Return a service's image, as just built."""
    assert image_name(app) in built
    return engine.client.images.get(image_name(app))
