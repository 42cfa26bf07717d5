"""The services' images, built also where no registry can be reached."""

from orderflow_lab.stand_ins import PYTHON, provide
from orderflow_tools.console import say
from orderflow_tools.containers.engines import Engine
from orderflow_tools.containers.images import build_images


def build_images_anywhere(engine: Engine) -> list[str]:
    """Build the image of each service, on a stand-in for their base if need be."""
    for image in provide(engine, [PYTHON]):
        say(f"The base is a stand-in for {image}, which no registry provided: see lab/README.md.")
    return build_images(engine)
