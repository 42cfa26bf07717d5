"""Run the scheduler, under an address that no other start of it announces.

    python -m orderflow_tools.scheduler PORT ETCD_PORT COMMAND [ARGUMENT ...]

The command replaces this process. A second process revokes the leadership of former schedulers.
"""

import logging
import os
import sys
import uuid

import psutil

from orderflow_tools.ports import LOOPBACK
from orderflow_tools.scheduler.leadership import revoke_former


def main(port: str, etcd_port: str, *command: str) -> None:
    """Start the second process, and become the scheduler."""
    # For gRPC this is the same as the bare address, which would not tell two schedulers apart.
    address = f"passthrough://{uuid.uuid4().hex}/{LOOPBACK}:{port}"
    scheduler = psutil.Process()
    if (child := os.fork()) == 0:
        # A grandchild, because the scheduler does not collect the exit statuses of children.
        try:
            if os.fork() == 0:
                logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
                revoke_former(scheduler, int(etcd_port), address)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    arguments = [*command, "--override-broadcast-host-port", address]
    os.execv(command[0], arguments)  # noqa: S606 - the platform composes this command


if __name__ == "__main__":
    main(*sys.argv[1:])
