"""The images that the local overlay runs, built or fetched, and given to the cluster's node."""

import shutil
from typing import Final

from orderflow_tools.cluster.cluster import Cluster
from orderflow_tools.console import say
from orderflow_tools.engine import open_engine
from orderflow_tools.images import build_images, save_images
from orderflow_tools.platform import Step, silent
from orderflow_tools.stand_ins import POSTGRES, REDIS, provide

STORES: Final = (REDIS, POSTGRES)


def load_services(cluster: Cluster, *, step: Step = silent) -> None:
    """Build the services' images, and give them and those of their stores to the node."""
    folder = cluster.layout.data / "archives"
    try:
        with open_engine() as engine:
            names = build_images(engine)
            for image in provide(engine, STORES):
                say(f"A stand-in is used for {image}, which no registry gave.")
            with step("images for the node"):
                for archive in save_images(engine, [*names, *STORES], folder):
                    cluster.load_images([archive])
                    archive.unlink()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
