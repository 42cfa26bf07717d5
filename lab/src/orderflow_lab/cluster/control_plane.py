"""The commands of Kubernetes' control plane: etcd, the API server, controllers, the scheduler."""

from dataclasses import dataclass
from pathlib import Path

from orderflow_lab.cluster.certificates import CLIENTS
from orderflow_lab.cluster.layout import Layout
from orderflow_lab.cluster.network import Network

Command = list[str | Path]


@dataclass(frozen=True)
class Endpoints:
    """Where the control plane listens."""

    address: str
    api: int = 6443
    etcd: int = 2379
    etcd_peer: int = 2380

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.address}:{self.api}"


def etcd(layout: Layout, programs: Path, at: Endpoints) -> Command:
    """Return the command that starts etcd, which only the API server uses."""
    client, peer = f"http://127.0.0.1:{at.etcd}", f"http://127.0.0.1:{at.etcd_peer}"
    return [
        layout.seen(programs / "etcd"),
        f"--data-dir={layout.seen(layout.data / 'etcd')}",
        *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
        *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
        f"--initial-cluster=default={peer}",
        # After a crash of the machine the cluster is created again anyway.
        "--unsafe-no-fsync",
    ]


def api_server(layout: Layout, programs: Path, at: Endpoints, network: Network) -> Command:
    """Return the command that starts the API server."""
    pki = layout.seen(layout.certificates)
    return [
        layout.seen(programs / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{at.etcd}",
        *(f"--bind-address={at.address}", f"--secure-port={at.api}"),
        f"--advertise-address={at.address if layout.inside else network.node}",
        f"--service-cluster-ip-range={network.services}",
        *(f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key"),
        f"--client-ca-file={pki}/ca.crt",
        *("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"),
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/service-accounts.pub",
        f"--service-account-signing-key-file={pki}/service-accounts.key",
        *_kubelet_options(pki),
        *_extension_options(pki),
        # Nothing here is privileged, but other pods in the cluster may be.
        "--allow-privileged=true",
    ]


def _kubelet_options(pki: Path) -> list[str]:
    return [
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def _extension_options(pki: Path) -> list[str]:
    return [
        f"--requestheader-client-ca-file={pki}/ca.crt",
        f"--requestheader-allowed-names={CLIENTS['front-proxy'].name}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
    ]


def controller_manager(layout: Layout, programs: Path) -> Command:
    """Return the command that starts the controllers."""
    pki = layout.seen(layout.certificates)
    return [
        layout.seen(programs / "kube-controller-manager"),
        *_authenticated_as("controller-manager", layout),
        *("--use-service-account-credentials", "--leader-elect=false"),
        f"--service-account-private-key-file={pki}/service-accounts.key",
        f"--root-ca-file={pki}/ca.crt",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
    ]


def scheduler(layout: Layout, programs: Path) -> Command:
    """Return the command that starts the scheduler."""
    return [
        layout.seen(programs / "kube-scheduler"),
        *_authenticated_as("scheduler", layout),
        "--leader-elect=false",
    ]


def _authenticated_as(client: str, layout: Layout) -> list[str]:
    path = layout.seen(layout.configuration / f"{client}.kubeconfig")
    # With these, requests for metrics and health are also authorized by the API server.
    return [
        f"--{option}={path}"
        for option in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    ] + ["--bind-address=127.0.0.1"]
