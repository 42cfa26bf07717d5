"""The node: its own namespaces on this machine, and the network link to them."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

import psutil

from orderflow_lab.cluster import cgroups, kernel
from orderflow_lab.cluster.layout import Layout
from orderflow_lab.cluster.network import Network
from orderflow_tools.errors import PlatformError

LINK: Final = "orderflow0"
"""The machine's end of the link; its other end is the node's `eth0`."""
INIT: Final = "orderflow_lab.cluster.init"
UNSHARE: Final = (
    *("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc"),
    *("--kill-child=KILL", "--propagation", "private"),
)


@dataclass(frozen=True)
class NodeState:
    """What is needed to find a node, and to undo its changes to the machine."""

    boot: str
    network: tuple[str, str, str]
    kernel: dict[str, str]


class Node:
    """A node. Killing its first process ends all its processes and removes its mounts."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._state = layout.home / "node.json"
        self._starter: subprocess.Popen[str] | None = None

    @property
    def network(self) -> Network | None:
        """The addresses of the last node that was started and not removed yet."""
        state = self._read()
        return Network(*map(IPv4Network, state.network)) if state else None

    def start(self, network: Network) -> None:
        """Create the namespaces and the link, and record what changes on the machine."""
        blocks = (str(network.link), str(network.services), str(network.pods))
        state = NodeState(kernel.boot_id(), blocks, kernel.read())
        self._state.write_text(json.dumps(state.__dict__))
        cgroups.create()
        with (self._layout.logs / "node.log").open("w") as log:
            self._starter = subprocess.Popen(
                [*UNSHARE, sys.executable, "-m", INIT, self._layout.home, self._layout.cache],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        with self._starter.stdout or contextlib.nullcontext() as output:
            if not output or output.readline() != "ready\n":
                log_text = (self._layout.logs / "node.log").read_text()
                raise PlatformError(f"The node's namespaces could not be prepared: {log_text}")
        self._connect(network)

    def enter(self) -> list[str]:
        """Return the prefix that runs a command in the node."""
        process = find_init(self._layout.home)
        if process is None:
            raise PlatformError("The node does not run.")
        # `ip netns exec` would hide the control groups.
        return ["nsenter", "-t", str(process.pid), "-n", "-m", "-p", "--wd=/"]

    def remove(self) -> None:
        """End the node, if it runs, and undo its changes to the machine."""
        while process := find_init(self._layout.home):
            with contextlib.suppress(psutil.Error):
                process.kill()
                process.wait(20)
        if self._starter:
            self._starter.wait()
            self._starter = None
        state = self._read()
        if state is None:
            return
        # After a crash, another checkout's node may use what this one has left behind.
        if not others(self._layout.home):
            self._undo(state)
        self._state.unlink()

    def _undo(self, state: NodeState) -> None:
        subprocess.run(["ip", "link", "delete", LINK], capture_output=True, check=False)
        if remaining := cgroups.remove():
            raise PlatformError(f"These control groups could not be removed: {remaining}.")
        if state.boot == kernel.boot_id():
            kernel.write(state.kernel)

    def _connect(self, network: Network) -> None:
        inside = self.enter()
        pid = inside[2]
        link = network.link.prefixlen
        machine = [
            ["link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", pid],
            ["address", "add", f"{network.machine}/{link}", "dev", LINK],
            ["link", "set", LINK, "up"],
        ]
        node = [
            ["link", "set", "lo", "up"],
            ["address", "add", f"{network.node}/{link}", "dev", "eth0"],
            ["link", "set", "eth0", "up"],
            ["route", "add", "default", "via", str(network.machine)],
        ]
        # The machine itself can reach services and pods, for browsers and tests.
        routes = [
            ["route", "add", str(block), "via", str(network.node)]
            for block in (network.services, network.pods)
        ]
        for prefix, commands in (([], machine), (inside, node), ([], routes)):
            for command in commands:
                _ip([*prefix, "ip", *command])
        settings = ("net.ipv4.ip_forward=1", "net.bridge.bridge-nf-call-iptables=1")
        _ip([*inside, "sysctl", "-qw", *settings])

    def _read(self) -> NodeState | None:
        with contextlib.suppress(OSError, ValueError, TypeError):
            return NodeState(**json.loads(self._state.read_text()))
        return None


def find_init(home: Path) -> psutil.Process | None:
    """Return the first process of the node that belongs to this folder, if it is alive."""
    return next((process for folder, process in _inits() if folder == home), None)


def others(home: Path) -> list[Path]:
    """Return the folders of other clusters whose nodes run on this machine."""
    return sorted({folder for folder, _ in _inits() if folder != home})


def _inits() -> list[tuple[Path, psutil.Process]]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        # `unshare` has the same words at the end of its command line.
        if INIT in command and command[0] != UNSHARE[0] and process.pid != os.getpid():
            found.append((Path(command[command.index(INIT) + 1]), process))
    return found


def _ip(command: list[str]) -> None:
    outcome = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if outcome.returncode:
        raise PlatformError(f"{' '.join(command)} failed: {outcome.stderr.strip()}")
