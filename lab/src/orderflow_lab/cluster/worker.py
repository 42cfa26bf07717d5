"""The processes that run pods on the node, and their settings: containerd, kubelet, kube-proxy."""

import json
import os
from pathlib import Path
from typing import Final

import yaml

from orderflow_lab.cluster import cgroups
from orderflow_lab.cluster.control_plane import Command
from orderflow_lab.cluster.layout import NODE_HOME, Layout
from orderflow_lab.cluster.network import Network

NODE_NAME: Final = "orderflow"
PAUSE_IMAGE: Final = "registry.k8s.io/pause:3.10.1"
SOCKET: Final = "/run/containerd/containerd.sock"
PLUGINS: Final = Path("/usr/lib/cni")
"""Where Debian installs the network plugins for pods."""


def write_configuration(layout: Layout, network: Network) -> None:
    """Write the configuration of the three processes."""
    folder = layout.configuration
    (folder / "cni").mkdir(parents=True, exist_ok=True)
    (folder / "containerd.toml").write_text(_containerd(layout))
    (folder / "cni" / "10-bridge.conflist").write_text(json.dumps(_bridge(layout, network)))
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(layout, network)))
    (folder / "resolv.conf").write_text(f"nameserver {network.dns}\n")


def containerd(layout: Layout) -> Command:
    """Return the command that starts containerd, separate from any other on the machine."""
    return ["containerd", "-c", layout.seen(layout.configuration / "containerd.toml")]


def kubelet(layout: Layout, programs: Path, network: Network) -> Command:
    """Return the command that starts the kubelet."""
    return [
        layout.seen(programs / "kubelet"),
        f"--config={layout.seen(layout.configuration / 'kubelet.yaml')}",
        f"--kubeconfig={layout.seen(layout.configuration / 'kubelet.kubeconfig')}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={network.node}",
        f"--root-dir={layout.seen(layout.data / 'kubelet')}",
    ]


def proxy(layout: Layout, programs: Path, network: Network) -> Command:
    """Return the command that starts kube-proxy, which does not change the machine's settings."""
    return [
        layout.seen(programs / "kube-proxy"),
        f"--kubeconfig={layout.seen(layout.configuration / 'proxy.kubeconfig')}",
        *("--proxy-mode=iptables", f"--hostname-override={NODE_NAME}"),
        f"--cluster-cidr={network.pods}",
        *("--conntrack-max-per-core=0", "--conntrack-min=0"),
        *("--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"),
    ]


def _containerd(layout: Layout) -> str:
    data = layout.seen(layout.data)
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{data}/containerd"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[{cri}]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
[{cri}.containerd]
  snapshotter = "{_snapshotter(layout.data)}"
[{cri}.cni]
  bin_dir = "{PLUGINS}"
  conf_dir = "{layout.seen(layout.configuration / "cni")}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{data}/opt"
"""


def _snapshotter(folder: Path) -> str:
    """Return how layers are stored: copied if the file system is itself an overlay."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    path = folder.resolve()
    below = [(where, kind) for where, kind in mounts if path.is_relative_to(where)]
    _, kind = max(below, key=lambda each: len(each[0]))
    return "native" if kind == "overlay" else "overlayfs"


def _bridge(layout: Layout, network: Network) -> dict[str, object]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": str(network.pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(layout.seen(layout.data / "addresses")),
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        **dict.fromkeys(("isGateway", "ipMasq", "hairpinMode"), True),
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "orderflow", "plugins": [bridge, ports]}


def _kubelet(layout: Layout, network: Network) -> dict[str, object]:
    pki = layout.seen(layout.certificates)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet-server.key",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.NAME}",
        # Machines have control groups of either version, and swap.
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "clusterDNS": [str(network.dns)],
        "clusterDomain": "cluster.local",
        "resolvConf": str(layout.seen(layout.configuration / "resolv.conf")),
        "volumePluginDir": str(NODE_HOME / "data" / "volume-plugins"),
        # Images are loaded by hand and cannot be pulled again, so none is removed to free space.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi",
            "imagefs.available": "1%",
            "nodefs.available": "1%",
        },
        "registryPullQPS": 0,
        # How soon a pod sees a changed ConfigMap. Without it, parts of Dapr that start before
        # Sentry has written the one with the trust anchors wait for a minute or two.
        "syncFrequency": "5s",
        "maxPods": 110,
    }


def missing_packages() -> dict[str, str]:
    """Return the missing Debian packages, each with a program that it contains."""
    wanted = {
        "containerd": ("/usr/bin/containerd", "/usr/bin/ctr"),
        "runc": ("/usr/sbin/runc", "/usr/bin/runc"),
        "containernetworking-plugins": (str(PLUGINS / "bridge"),),
        "iptables": ("/usr/sbin/iptables",),
        "iproute2": ("/usr/sbin/ip", "/usr/bin/ip", "/sbin/ip"),
        "procps": ("/usr/sbin/sysctl", "/sbin/sysctl"),
    }
    return {
        package: paths[0]
        for package, paths in wanted.items()
        if not any(os.access(path, os.X_OK) for path in paths)
    }
