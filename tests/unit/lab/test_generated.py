"""Files that follow from the declarations of the services, in a copy of those of the checkout."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from orderflow_contracts import names
from orderflow_contracts.service import Ports, Service
from orderflow_lab import generated
from orderflow_tools.settings import find_checkout

DECLARED = Service(
    app_id="parcels",
    ports=Ports(http=8004, grpc=7004, dapr_http=3504, dapr_grpc=50104),
    subscribes=(names.ORDERS_STATUS,),
    scales_on=(names.ORDERS_STATUS,),
    methods={"send": frozenset({names.ORDERS})},
    components=frozenset({names.PUBSUB}),
    has_tables=True,
)
SERVICES = Path("deploy/base/services")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of everything that is generated, all of it current."""
    for folder in ("components", "deploy"):
        shutil.copytree(find_checkout() / folder, tmp_path / folder)
    for name in ("dapr.yaml", "pyproject.toml"):
        shutil.copy(find_checkout() / name, tmp_path / name)
    generated.write(tmp_path)
    return tmp_path


@pytest.fixture
def declared(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return such a copy with one more service, of which nothing has been written yet."""
    monkeypatch.setitem(names.SERVICES, DECLARED.app_id, DECLARED)
    monkeypatch.setitem(names.LOCAL_PORTS, DECLARED.app_id, DECLARED.ports)
    return checkout


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_what_is_current_is_not_written_again(checkout: Path) -> None:
    """A second run changes nothing."""
    assert generated.outdated(checkout) == []
    assert generated.write(checkout) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("dapr.yaml", "appPort: 7002", "appPort: 7009"),
        ("components/pubsub.yaml", "  - approvals\n", ""),
        ("deploy/base/services/orders/service.yaml", "/raise", "/rise"),
        ("deploy/components/keda/redis/scaled-objects.yaml", "orders.submitted", "orders"),
        ("deploy/components/rabbitmq/definitions.json", "approvals-approvals", "approvals"),
        ("pyproject.toml", '    "services/orders/src",\n', ""),
    ],
)
def test_a_change_by_hand_is_found_and_reverted(
    checkout: Path, name: str, old: str, new: str
) -> None:
    """Each kind of file is compared with what the declarations make of it."""
    path = checkout / name
    before = path.read_text()
    path.write_text(before.replace(old, new))

    assert generated.outdated(checkout) == [Path(name)]
    assert generated.write(checkout) == [Path(name)]
    assert sorted(path.read_text().splitlines()) == sorted(before.splitlines())


def test_a_file_of_a_service_that_is_gone_is_removed(checkout: Path) -> None:
    """Nothing else would say that the folder of a service is left over."""
    path = checkout / SERVICES / "billing" / "service.yaml"
    path.parent.mkdir()
    path.touch()

    assert generated.write(checkout) == [path.relative_to(checkout)]
    assert not path.exists()


def test_a_new_service_is_started_and_gets_its_events(declared: Path) -> None:
    """The local run starts it behind the others, and its sidecar loads the broker."""
    generated.write(declared)

    app = read(declared / "dapr.yaml")["apps"][-1]
    assert (app["appID"], app["appPort"], app["daprHTTPPort"]) == ("parcels", 7004, 3504)
    assert "parcels" in read(declared / "components" / "pubsub.yaml")["scopes"]
    assert "parcels" not in read(declared / "components" / "workflow-store.yaml")["scopes"]


def test_a_new_service_has_its_queues_before_it_runs(declared: Path) -> None:
    """RabbitMQ keeps what is published before the service subscribes, dead letters too."""
    generated.write(declared)

    made = json.loads((declared / "deploy/components/rabbitmq/definitions.json").read_text())

    topics = {names.ORDERS_STATUS, names.dead_letter_topic(names.ORDERS_STATUS)}
    queues = {f"parcels-{topic}" for topic in topics}
    assert topics <= {each["name"] for each in made["exchanges"]}
    assert queues <= {each["name"] for each in made["queues"]}
    bound = {each["destination"]: each["source"] for each in made["bindings"]}
    assert {bound[queue] for queue in queues} == topics


def test_a_new_service_is_deployed_with_its_access_list(declared: Path) -> None:
    """Its folder has what its declaration says, and the list of services names it."""
    generated.write(declared)

    deployment, configuration = yaml.safe_load_all(
        (declared / SERVICES / "parcels" / "service.yaml").read_text()
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (policy,) = configuration["spec"]["accessControl"]["policies"]
    assert "parcels" in read(declared / SERVICES / "kustomization.yaml")["resources"]
    assert [each["name"] for each in container["env"]] == [
        "PARCELS_DATABASE_URL",
        "PARCELS_HTTP_HOST",
    ]
    assert (policy["appId"], policy["operations"][0]["name"]) == ("orders", "/send")


def test_a_new_service_is_in_every_list_of_the_project(declared: Path) -> None:
    """Its types, its imports and its coverage are checked, and the comments stay."""
    before = (declared / "pyproject.toml").read_text()

    generated.write(declared)

    text = (declared / "pyproject.toml").read_text()
    assert text.count("parcels") == before.count("inventory")
    assert text.count("#") == before.count("#")
