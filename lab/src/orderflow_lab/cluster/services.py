"""Provides the images that the local overlay runs, and loads them into the cluster's node."""

import shutil
from typing import Final

from orderflow_lab.cluster.cluster import Cluster
from orderflow_lab.images import build_images_anywhere
from orderflow_lab.stand_ins import POSTGRES, REDIS, provide
from orderflow_tools.console import print_line
from orderflow_tools.containers.engines import open_engine
from orderflow_tools.containers.images import save_images
from orderflow_tools.start_up import Step, silent

STORES: Final = (REDIS, POSTGRES)


def load_services(cluster: Cluster, *, step: Step = silent) -> None:
    """Build the services' images, and load them and their stores' images into the node."""
    folder = cluster.layout.data / "archives"
    try:
        with open_engine() as engine:
            names = build_images_anywhere(engine)
            for image in provide(engine, STORES):
                print_line(f"A stand-in is used for {image}, which no registry provided.")
            with step("images for the node"):
                for archive in save_images(engine, [*names, *STORES], folder):
                    cluster.load_images([archive])
                    archive.unlink()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
