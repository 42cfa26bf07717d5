"""Each service matches its declaration in `names.SERVICES`, in code and in the checkout."""

import re
import tomllib
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import yaml

import service_code
from orderflow_contracts import names
from orderflow_contracts.service import Service

ROOT = service_code.ROOT


@pytest.fixture(params=names.SERVICES.values(), ids=lambda service: service.app_id)
def service(request: pytest.FixtureRequest) -> Service:
    """Return each declared service in turn."""
    declared: Service = request.param
    return declared


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Return the tools' settings from the root's pyproject.toml."""
    tools: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    return tools


def test_every_service_is_declared_and_has_its_folder() -> None:
    """No other check would look at an undeclared service."""
    folders = {path.name for path in (ROOT / "services").iterdir() if path.is_dir()}

    assert folders == set(names.SERVICES)


def test_every_service_has_unit_tests(service: Service) -> None:
    """The folder tests/unit/<service> holds at least one test."""
    files = (ROOT / "tests" / "unit" / service.app_id).rglob("test_*.py")

    assert any(re.search(r"^(async )?def test_", path.read_text(), re.MULTILINE) for path in files)


def test_its_wheel_has_a_package_that_can_be_started(service: Service) -> None:
    """The wheel has the package with the service's name, which runs as a module."""
    folder = ROOT / "services" / service.app_id
    package = tomllib.loads((folder / "pyproject.toml").read_text())
    source = f"src/{service.app_id}"

    assert package["project"]["name"] == f"orderflow-{service.app_id}"
    assert package["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [source]
    assert (folder / source / "__main__.py").is_file()


def test_no_port_is_used_twice() -> None:
    """All services and sidecars run on one machine."""
    ports = [port for each in names.SERVICES.values() for port in astuple(each.ports)]

    assert len(set(ports)) == len(ports)


def test_callers_and_components_are_declared_too(service: Service) -> None:
    """A declaration names only what exists, including the broker if the service uses it."""
    callers = {caller for allowed in service.methods.values() for caller in allowed}

    assert callers <= set(names.SERVICES) - {service.app_id}
    assert all(service.methods.values()), "a method that nobody may invoke"
    assert service.components <= {names.PUBSUB, names.WORKFLOW_ENTRIES, *_state_stores()}
    assert (names.PUBSUB in service.components) == bool(service.publishes or service.subscribes)
    assert set(service.scales_on) <= set(service.subscribes)
    assert bool(service.scales_on) == bool(service.subscribes)


def test_no_state_store_is_shared() -> None:
    """Each service owns its data."""
    owned = [name for each in names.SERVICES.values() for name in each.components]

    assert all(owned.count(name) == 1 for name in _state_stores())


def test_the_settings_match_the_declaration(service: Service) -> None:
    """A service has its ports as defaults, and a database if it has tables."""
    settings = service_code.settings_class(service.app_id)
    fields, prefix = settings.model_fields, f"{service.app_id.upper()}_"

    assert settings.model_config["env_prefix"] == prefix
    assert (
        fields["http_port"].default,
        fields["grpc_port"].default,
        fields["dapr_http_port"].default,
        fields["dapr_grpc_port"].default,
    ) == astuple(service.ports)
    database = f"{prefix}DATABASE_URL"
    assert (database in service_code.variables(service.app_id)) == service.has_tables


def test_the_code_subscribes_to_the_declared_topics(service: Service) -> None:
    """The service also handles each subscription's dead-letter topic."""
    dead = {topic: names.dead_letter_topic(topic) for topic in service.subscribes}

    found = service_code.edge_of(service.app_id).subscriptions

    canary = {names.canary_topic(service.app_id): None} if dead else {}
    assert found == {**dead, **dict.fromkeys(dead.values()), **canary}


def test_the_code_offers_the_declared_methods_to_the_declared_callers(service: Service) -> None:
    """A method open to all callers in code is restricted by the access list."""
    found = service_code.edge_of(service.app_id).methods

    assert found.keys() == service.methods.keys()
    for name, callers in found.items():
        assert callers is None or set(callers) == service.methods[name], name


def test_the_code_publishes_on_the_declared_topics(service: Service) -> None:
    """Each topic named in a service's source is one that it publishes on or subscribes to."""
    named = service_code.topics_named(service.app_id)

    assert named - set(service.subscribes) == service.publishes - set(service.subscribes)


def test_the_root_file_starts_it_on_its_ports(service: Service) -> None:
    """The file for `dapr run -f .` matches the declaration."""
    apps = {each["appID"]: each for each in _yaml(ROOT / "dapr.yaml")["apps"]}
    ports, app = service.ports, apps[service.app_id]

    assert apps.keys() == names.SERVICES.keys()
    assert app == {
        "appID": service.app_id,
        "appDirPath": ".orderflow",
        "appPort": ports.grpc,
        "daprHTTPPort": ports.dapr_http,
        "daprGRPCPort": ports.dapr_grpc,
        "daprInternalGRPCPort": ports.dapr_http + 100,
        "metricsPort": ports.dapr_http + 200,
        "command": [
            *("../tools/keep-alive", service.app_id, "--directory", ".."),
            *("--", ".venv/bin/python", "-m", service.app_id),
        ],
    }


def test_its_sidecar_loads_the_declared_components(service: Service) -> None:
    """In the local run each component's scopes are the services that use it."""
    resources = [_yaml(path) for path in (ROOT / "components").glob("*.yaml")]
    scopes = {
        each["metadata"]["name"]: set(each["scopes"])
        for each in resources
        if each["kind"] == "Component"
    }
    (resiliency,) = (each for each in resources if each["kind"] == "Resiliency")

    loaded = {name for name, apps in scopes.items() if service.app_id in apps}

    assert loaded == {*service.components, names.SIDECAR_RULES}
    assert set().union(*scopes.values()) <= names.SERVICES.keys()
    assert service.app_id in resiliency.get("scopes", names.SERVICES)


def test_its_types_and_imports_are_checked(service: Service, project: dict[str, Any]) -> None:
    """Mypy checks its source, and import-linter its layers and independence."""
    linter, app_id = project["importlinter"], service.app_id
    contracts = {each["name"]: each for each in linter["contracts"]}
    (independence,) = (each for each in contracts.values() if each["type"] == "independence")
    layered = {
        container
        for each in contracts.values()
        if each["type"] == "layers" and each.get("exhaustive")
        for container in each["containers"]
    }

    assert f"services/{app_id}/src" in project["mypy"]["mypy_path"].split(":")
    assert app_id in linter["root_packages"]
    assert app_id in independence["modules"]
    assert app_id in layered
    apart = {
        source
        for each in contracts.values()
        if each["type"] == "forbidden" and app_id in each["forbidden_modules"]
        for source in each["source_modules"]
    }
    assert apart >= set(linter["root_packages"]) - names.SERVICES.keys()


def _state_stores() -> set[str]:
    return {
        document["metadata"]["name"]
        for path in (ROOT / "components").glob("*.yaml")
        if (document := _yaml(path))["kind"] == "Component"
        and document["spec"]["type"].startswith("state.")
    }


def _yaml(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded
