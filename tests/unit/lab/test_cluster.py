import base64
import hashlib
import io
import json
import stat
import tarfile
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from orderflow_lab.cluster import certificates, cgroups, programs, worker
from orderflow_lab.cluster.addons import manifests
from orderflow_lab.cluster.image_archive import USER, ProgramImage, write_archive
from orderflow_lab.cluster.layout import Layout
from orderflow_lab.cluster.network import CANDIDATES, free_network
from orderflow_tools.deployment.client import without_proxy
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import find_checkout
from orderflow_tools.toolchain import go_build, go_compiler

ROOT = find_checkout()
MODULE = ROOT / "lab" / programs.MODULE


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return the folders of a cluster that is never started."""
    made = Layout(ROOT, tmp_path / "cluster", tmp_path / "cache")
    made.configuration.mkdir(parents=True)
    return made


def test_a_default_route_does_not_block_the_first_addresses() -> None:
    """A default route says nothing about which addresses are in use."""
    routes = [IPv4Network("0.0.0.0/0"), IPv4Network("192.0.2.0/24")]

    assert free_network(routes) is CANDIDATES[0]


@pytest.mark.parametrize("route", ["10.0.0.0/8", "10.96.7.0/24", "10.244.0.1/32", "10.88.77.0/30"])
def test_blocks_that_the_machine_uses_are_avoided(route: str) -> None:
    """No block of node, services or pods hides a network of the machine."""
    assert free_network([IPv4Network(route)]) is CANDIDATES[1]


def test_a_machine_that_uses_all_blocks_gets_no_cluster() -> None:
    """An error is better than a cluster that cannot be reached."""
    private = [IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]

    with pytest.raises(PlatformError, match="routes to all address blocks"):
        free_network(private)


def test_the_node_sees_the_clusters_folder_by_a_short_path(layout: Layout) -> None:
    """A socket's path is limited to about a hundred characters, even in a deep checkout."""
    assert str(layout.seen(layout.data / "kubelet")) == "/run/orderflow/data/kubelet"
    assert str(layout.seen(layout.cache / "x" / "etcd")) == "/run/orderflow-programs/x/etcd"


def test_a_path_that_the_node_does_not_see_is_refused(layout: Layout, tmp_path: Path) -> None:
    """A path with another meaning inside would fail in a way that is hard to understand."""
    with pytest.raises(PlatformError, match="does not see"):
        layout.seen(tmp_path / "elsewhere")


def test_each_part_gets_a_certificate_that_the_authority_has_signed(tmp_path: Path) -> None:
    """The API server identifies clients by name and group, and a kubelet as a node."""
    certificates.write_all(tmp_path, ["10.88.77.1"])

    authority = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    kubelet = x509.load_pem_x509_certificate((tmp_path / "kubelet.crt").read_bytes())
    kubelet.verify_directly_issued_by(authority)
    names = {attribute.oid: attribute.value for attribute in kubelet.subject}
    assert names[NameOID.COMMON_NAME] == f"system:node:{worker.NODE_NAME}"
    assert names[NameOID.ORGANIZATION_NAME] == "system:nodes"


def test_the_servers_certificate_names_its_address(tmp_path: Path) -> None:
    """A client would notice a connection to another server."""
    certificates.write_all(tmp_path, ["10.88.77.1"])

    server = x509.load_pem_x509_certificate((tmp_path / "apiserver.crt").read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "10.88.77.1" in map(str, names.get_values_for_type(x509.IPAddress))


def test_keys_and_kubeconfigs_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """Each of them gives full control of the cluster."""
    certificates.write_all(tmp_path, [])
    kubeconfig = tmp_path / "kubeconfig"

    certificates.write_kubeconfig(kubeconfig, "https://10.88.77.1:6443", tmp_path, "admin")

    for path in [kubeconfig, *tmp_path.glob("*.key")]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    user = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]
    assert b"PRIVATE KEY" in base64.b64decode(user["client-key-data"])


def test_an_image_contains_its_program_and_its_layers_digest(tmp_path: Path) -> None:
    """Containerd only accepts a layer whose digest is in the configuration."""
    program = tmp_path / "daprd"
    program.write_bytes(b"\x7fELF" + bytes(range(256)) * 9)
    file = io.BytesIO()

    write_archive([ProgramImage("ghcr.io/dapr/daprd:1", program, "daprd")], file)

    file.seek(0)
    with tarfile.open(fileobj=file) as archive:
        content = {name: archive.extractfile(name) for name in archive.getnames()}
        read = {name: member.read() for name, member in content.items() if member}
    (entry,) = json.loads(read["manifest.json"])
    configuration = json.loads(read[entry["Config"]])
    layer = read[entry["Layers"][0]]
    assert entry["RepoTags"] == ["ghcr.io/dapr/daprd:1"]
    assert configuration["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert configuration["config"]["User"] == f"{USER}:{USER}"
    with tarfile.open(fileobj=io.BytesIO(layer)) as inner:
        member = inner.getmember("daprd")
        assert member.mode == 0o755
        taken = inner.extractfile(member)
        assert taken
        assert taken.read() == program.read_bytes()


def groups(root: Path, *names: str, version: int) -> Path:
    """Make a folder like a machine's control groups."""
    for folder in [root, *(root / name for name in names)]:
        folder.mkdir(exist_ok=True)
        if folder != root or version == 2:
            (folder / "cgroup.procs").touch()
    if version == 2:
        (root / "cgroup.controllers").write_text("cpu memory\n")
    return root


def test_control_groups_of_version_1_have_one_folder_per_controller(tmp_path: Path) -> None:
    """Systemd's own hierarchy of version 2 beside them is not for pods."""
    root = groups(tmp_path / "cgroup", "cpu", "memory", "unified", version=1)
    (root / "cpuacct").symlink_to("cpu")

    assert [folder.name for folder in cgroups.hierarchies(root)] == ["cpu", "memory"]


def test_control_groups_of_version_2_have_one_folder(tmp_path: Path) -> None:
    """A group of the system is not a separate hierarchy."""
    root = groups(tmp_path / "cgroup", "system.slice", version=2)

    assert cgroups.hierarchies(root) == [root]


@pytest.mark.parametrize("place", ["", "unified", "cpu"])
def test_a_nodes_groups_are_found_wherever_they_are(tmp_path: Path, place: str) -> None:
    """Runc also creates groups where the kubelet creates none; they must be removed too."""
    root = groups(tmp_path / "cgroup", "cpu", "unified", version=1)
    (root / place / cgroups.NAME).mkdir()

    assert cgroups.remaining(root) == [root / place / cgroups.NAME]


def test_the_kubelet_uses_the_clusters_own_dns(layout: Layout) -> None:
    """CoreDNS has the address that the kubelet gives to pods."""
    network = CANDIDATES[1]
    worker.write_configuration(layout, network)

    kubelet = yaml.safe_load((layout.configuration / "kubelet.yaml").read_text())
    services = [
        document["spec"]["clusterIP"]
        for document in yaml.safe_load_all(manifests(layout, network))
        if document["kind"] == "Service"
    ]
    assert kubelet["clusterDNS"] == services == [str(network.dns)]


def test_the_folder_of_a_volume_exists(layout: Layout) -> None:
    """A pod waits for ever for a volume whose folder is missing."""
    documents = list(yaml.safe_load_all(manifests(layout, CANDIDATES[0])))

    paths = [each["spec"]["local"]["path"] for each in documents if "local" in each.get("spec", {})]
    assert paths
    assert paths == [str(layout.seen(each)) for each in sorted(layout.volumes.iterdir())]


def test_the_cluster_is_reached_without_a_proxy(tmp_path: Path) -> None:
    """A machine with a proxy for the Internet reaches its own cluster directly."""
    certificates.write_all(tmp_path, [])
    path = tmp_path / "kubeconfig"
    certificates.write_kubeconfig(path, "https://10.88.77.1:6443", tmp_path, "admin")

    assert without_proxy(path, {})["NO_PROXY"] == "10.88.77.1"
    assert without_proxy(path, {"NO_PROXY": "example.com"})["NO_PROXY"] == "example.com,10.88.77.1"


def test_the_pins_are_the_reported_versions() -> None:
    """Images and servers report the versions that the module pins."""
    pins = (MODULE / "go.mod").read_text()

    assert f"k8s.io/kubernetes v{programs.KUBERNETES_VERSION}\n" in pins
    assert f"github.com/coredns/coredns v{programs.COREDNS_VERSION}\n" in pins


def test_the_wheel_can_build_a_cluster() -> None:
    """On a machine without Go, the wheel is new enough."""
    carried = tuple(int(part) for part in go_compiler.WHEEL.partition("==")[2].split("."))

    assert carried >= go_compiler.required_version((MODULE / "go.mod").read_text())


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("go.etcd.io/etcd/server/v3", "server"),
        ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
        ("./coredns", "coredns"),
        ("github.com/dapr/cli", "cli"),
    ],
)
def test_go_names_a_program_by_its_folder(package: str, name: str) -> None:
    """A folder that is a major version does not count."""
    assert go_build.program_name(package) == name
