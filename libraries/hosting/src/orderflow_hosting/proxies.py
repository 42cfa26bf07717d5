"""Keeps the environment's proxy settings from applying to the sidecar."""

import os
from typing import Final

VARIABLE: Final = "no_grpc_proxy"


def bypass_for_grpc(host: str) -> None:
    """Make every gRPC channel of this process reach a host without a proxy.

    This sets an environment variable that gRPC reads, because the workflow SDK opens channels of
    its own and takes no options for them.
    """
    listed = os.environ.get(VARIABLE) or os.environ.get("no_proxy", "")
    os.environ[VARIABLE] = ",".join(dict.fromkeys([*filter(None, listed.split(",")), host]))
