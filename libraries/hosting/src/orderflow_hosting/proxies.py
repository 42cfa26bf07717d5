"""Keeps the proxies of the environment, which are for the network, away from the sidecar."""

import os
from typing import Final

VARIABLE: Final = "no_grpc_proxy"


def bypass_for_grpc(host: str) -> None:
    """Let every gRPC channel that this process opens reach a host without a proxy.

    It is said in the environment, where gRPC looks for it, because the workflow SDK opens channels
    of its own and takes no options for them.
    """
    listed = os.environ.get(VARIABLE) or os.environ.get("no_proxy", "")
    os.environ[VARIABLE] = ",".join(dict.fromkeys([*filter(None, listed.split(",")), host]))
