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

from orderflow_cli import passwords
from orderflow_contracts.access import AccessFile, Role, token_digest
from orderflow_tools import gobuild, golang
from orderflow_tools.cluster import certificates, cgroups, programs, secrets, worker
from orderflow_tools.cluster.addons import manifests
from orderflow_tools.cluster.client import Client, without_proxy
from orderflow_tools.cluster.image_archive import USER, ProgramImage, write_archive
from orderflow_tools.cluster.layout import Layout
from orderflow_tools.cluster.network import CANDIDATES, free_network
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import find_checkout

ROOT = find_checkout()
MODULE = ROOT / "tools" / programs.MODULE


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return the folders of a cluster that nobody starts."""
    made = Layout(ROOT, tmp_path / "cluster", tmp_path / "cache")
    made.configuration.mkdir(parents=True)
    return made


def test_the_first_blocks_are_taken_on_a_machine_with_a_route_to_everything() -> None:
    """A default route says nothing about which addresses are in use."""
    routes = [IPv4Network("0.0.0.0/0"), IPv4Network("192.0.2.0/24")]

    assert free_network(routes) is CANDIDATES[0]


@pytest.mark.parametrize("route", ["10.0.0.0/8", "10.96.7.0/24", "10.244.0.1/32", "10.88.77.0/30"])
def test_blocks_that_the_machine_uses_are_left_alone(route: str) -> None:
    """Neither the node's block, nor that of services or pods, hides a network of the machine."""
    assert free_network([IPv4Network(route)]) is CANDIDATES[1]


def test_a_machine_that_uses_all_blocks_gets_no_cluster() -> None:
    """It is better said than half working."""
    private = [IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]

    with pytest.raises(PlatformError, match="routes to all addresses"):
        free_network(private)


def test_the_node_sees_the_clusters_folder_by_a_short_path(layout: Layout) -> None:
    """A socket's path may have a hundred characters, however deep the checkout lies."""
    assert str(layout.seen(layout.data / "kubelet")) == "/run/orderflow/data/kubelet"
    assert str(layout.seen(layout.cache / "x" / "etcd")) == "/run/orderflow-programs/x/etcd"


def test_what_the_node_does_not_see_is_refused(layout: Layout, tmp_path: Path) -> None:
    """A path that means something else inside would fail in a way that is hard to understand."""
    with pytest.raises(PlatformError, match="does not see"):
        layout.seen(tmp_path / "elsewhere")


def test_each_part_gets_a_certificate_that_the_authority_has_signed(tmp_path: Path) -> None:
    """The API server knows its clients by name and group, and a kubelet as a node."""
    certificates.write_all(tmp_path, ["10.88.77.1"])

    authority = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    kubelet = x509.load_pem_x509_certificate((tmp_path / "kubelet.crt").read_bytes())
    kubelet.verify_directly_issued_by(authority)
    names = {attribute.oid: attribute.value for attribute in kubelet.subject}
    assert names[NameOID.COMMON_NAME] == f"system:node:{worker.NODE_NAME}"
    assert names[NameOID.ORGANIZATION_NAME] == "system:nodes"


def test_the_servers_certificate_names_its_address(tmp_path: Path) -> None:
    """A client that came to another server would be told."""
    certificates.write_all(tmp_path, ["10.88.77.1"])

    server = x509.load_pem_x509_certificate((tmp_path / "apiserver.crt").read_bytes())
    told = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "10.88.77.1" in map(str, told.get_values_for_type(x509.IPAddress))


def test_keys_and_kubeconfigs_are_their_owners_alone(tmp_path: Path) -> None:
    """Whoever reads one rules the cluster."""
    certificates.write_all(tmp_path, [])
    kubeconfig = tmp_path / "kubeconfig"

    certificates.write_kubeconfig(kubeconfig, "https://10.88.77.1:6443", tmp_path, "admin")

    for path in [kubeconfig, *tmp_path.glob("*.key")]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    user = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]
    assert b"PRIVATE KEY" in base64.b64decode(user["client-key-data"])


def test_an_image_holds_its_program_and_tells_its_layers_sum(tmp_path: Path) -> None:
    """Containerd takes only what has the sum that its configuration tells."""
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
    """Make a folder like that of a machine's control groups."""
    for folder in [root, *(root / name for name in names)]:
        folder.mkdir(exist_ok=True)
        if folder != root or version == 2:
            (folder / "cgroup.procs").touch()
    if version == 2:
        (root / "cgroup.controllers").write_text("cpu memory\n")
    return root


def test_control_groups_of_version_1_have_one_folder_per_controller(tmp_path: Path) -> None:
    """Systemd's own hierarchy of version 2 beside them is no place for pods."""
    root = groups(tmp_path / "cgroup", "cpu", "memory", "unified", version=1)
    (root / "cpuacct").symlink_to("cpu")

    assert [folder.name for folder in cgroups.hierarchies(root)] == ["cpu", "memory"]


def test_control_groups_of_version_2_have_one_folder(tmp_path: Path) -> None:
    """There, a group of the system is no hierarchy of its own."""
    root = groups(tmp_path / "cgroup", "system.slice", version=2)

    assert cgroups.hierarchies(root) == [root]


@pytest.mark.parametrize("place", ["", "unified", "cpu"])
def test_a_nodes_groups_are_found_wherever_they_are(tmp_path: Path, place: str) -> None:
    """Runc makes groups also where the kubelet makes none, and they must be removed too."""
    root = groups(tmp_path / "cgroup", "cpu", "unified", version=1)
    (root / place / cgroups.NAME).mkdir()

    assert cgroups.left(root) == [root / place / cgroups.NAME]


def test_the_kubelet_asks_the_clusters_own_name_server(layout: Layout) -> None:
    """CoreDNS gets the address that pods are told."""
    network = CANDIDATES[1]
    worker.write_configuration(layout, network)

    kubelet = yaml.safe_load((layout.configuration / "kubelet.yaml").read_text())
    services = [
        document["spec"]["clusterIP"]
        for document in yaml.safe_load_all(manifests(layout, network))
        if document["kind"] == "Service"
    ]
    assert kubelet["clusterDNS"] == services == [str(network.dns)]


def test_a_volume_is_a_folder_that_is_there(layout: Layout) -> None:
    """A pod waits for ever for a volume whose folder nobody has made."""
    documents = list(yaml.safe_load_all(manifests(layout, CANDIDATES[0])))

    paths = [each["spec"]["local"]["path"] for each in documents if "local" in each.get("spec", {})]
    assert paths
    assert paths == [str(layout.seen(each)) for each in sorted(layout.volumes.iterdir())]


def kubectl(folder: Path, names: str) -> Client:
    """Return a client whose kubectl knows some secrets, and keeps what it is told to create."""
    program = folder / "kubectl"
    program.write_text(f'#!/bin/sh\n[ $1 = get ] && echo "{names}" || cat > {folder}/created\n')
    program.chmod(0o755)
    return Client(program)


def test_secrets_are_made_at_random_where_they_are_missing(tmp_path: Path) -> None:
    """What is there stays as it is, and no two clusters have the same."""
    client = kubectl(tmp_path, "secret/orderflow-redis\nsecret/orderflow-access")

    assert secrets.create_missing(client) == ["orderflow-app-token", "orderflow-postgres"]
    first = (tmp_path / "created").read_text()
    secrets.create_missing(client)
    assert (tmp_path / "created").read_text() != first
    created = [document["metadata"]["name"] for document in yaml.safe_load_all(first)]
    assert created == ["orderflow-app-token", "orderflow-postgres"]


def test_what_people_need_of_the_access_file_is_made_with_it(tmp_path: Path) -> None:
    """The password and the token in one secret are those that count by the other."""
    client = kubectl(
        tmp_path, "secret/orderflow-redis secret/orderflow-app-token secret/orderflow-postgres"
    )

    assert secrets.create_missing(client) == ["orderflow-access"]

    kept, used = yaml.safe_load_all((tmp_path / "created").read_text())
    assert kept["metadata"]["name"] == "orderflow-access"
    assert used["metadata"]["name"] == "orderflow-first-user"
    file = AccessFile.model_validate_json(kept["stringData"]["access.json"])
    (user,), (token,) = file.users, file.tokens
    assert user.name == token.name == used["stringData"]["name"]
    assert passwords.matches(user.password_hash, used["stringData"]["password"])
    assert token.sha256 == token_digest(used["stringData"]["token"])
    assert token.roles == tuple(Role)


def test_an_address_of_a_store_holds_the_password_of_its_role() -> None:
    """The stores' server and its clients are told the same."""
    values = secrets.postgres()

    for role, key in (("orders", "orders-url"), ("inventory", "inventory-store")):
        assert f"//{role}:{values[f'{role}-password']}@postgres:5432/{role}" in values[key]


def test_no_proxy_stands_before_the_cluster(tmp_path: Path) -> None:
    """A machine that reaches the world by a proxy reaches its own cluster without."""
    certificates.write_all(tmp_path, [])
    path = tmp_path / "kubeconfig"
    certificates.write_kubeconfig(path, "https://10.88.77.1:6443", tmp_path, "admin")

    assert without_proxy(path, {})["NO_PROXY"] == "10.88.77.1"
    assert without_proxy(path, {"NO_PROXY": "example.com"})["NO_PROXY"] == "example.com,10.88.77.1"


def test_the_pins_are_the_versions_that_are_told() -> None:
    """What images and servers say of themselves is what the module pins."""
    pins = (MODULE / "go.mod").read_text()

    assert f"k8s.io/kubernetes v{programs.KUBERNETES_VERSION}\n" in pins
    assert f"github.com/coredns/coredns v{programs.COREDNS_VERSION}\n" in pins


def test_where_there_is_no_go_the_wheel_can_build_a_cluster() -> None:
    """A machine without Go gets one from the wheel."""
    carried = tuple(int(part) for part in golang.WHEEL.partition("==")[2].split("."))

    assert carried >= golang.required_version((MODULE / "go.mod").read_text())


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
    """A folder that is a major version is none that it is named by."""
    assert gobuild.program_name(package) == name
