"""Builds the services' images, even if no registry can be reached."""

from orderflow_lab.stand_ins import PYTHON, provide
from orderflow_tools.console import print_line
from orderflow_tools.containers.engines import Engine
from orderflow_tools.containers.images import build_images


def build_images_anywhere(engine: Engine) -> list[str]:
    """Build the image of each service, on a stand-in for their base if need be."""
    for image in provide(engine, [PYTHON]):
        print_line(f"{image} could not be pulled; a stand-in is used as base: see lab/README.md.")
    return build_images(engine)
