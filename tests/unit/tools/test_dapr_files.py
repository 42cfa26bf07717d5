import csv
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from orderflow_contracts.names import LOCAL_PORTS
from orderflow_tools import dapr_files
from orderflow_tools.settings import APPS, Settings, find_checkout
from orderflow_tools.toolchain.dapr import Runtime


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings.isolated(tmp_path)
    made.run.mkdir(parents=True)
    return made


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_the_default_run_reads_the_root_file() -> None:
    """With default ports and folder, `make run` runs the same as `dapr run -f .`."""
    assert dapr_files.run_file(Settings.from_environment({})) == find_checkout() / "dapr.yaml"


def test_the_root_file_agrees_with_the_contract() -> None:
    """Its ports are the ones that the contract fixes."""
    apps = {app["appID"]: app for app in read(find_checkout() / "dapr.yaml")["apps"]}

    assert set(apps) == set(APPS)
    for name, app in apps.items():
        ports = LOCAL_PORTS[name]
        assert app["appPort"] == ports.grpc
        assert (app["daprHTTPPort"], app["daprGRPCPort"]) == (ports.dapr_http, ports.dapr_grpc)


def test_the_root_file_rendered_for_the_default_run_means_the_same() -> None:
    """Rendering changes only ports and folders, and loses nothing."""
    settings = Settings.from_environment({})
    template = read(find_checkout() / "dapr.yaml")

    rendered = dapr_files.render(template, settings, settings.root / "components")

    for before, after in zip(template["apps"], rendered["apps"], strict=True):
        changed = {key for key in before if before[key] != after[key]}
        assert changed == {"appDirPath", "command"}
    replaced = {"resourcesPath", "configFilePath"}
    for key in template["common"].keys() - replaced:
        assert rendered["common"][key] == template["common"][key]


def test_a_moved_run_has_its_own_ports_and_folders(settings: Settings) -> None:
    """Sidecars, services, placement and scheduler all use this run's ports and folders."""
    rendered = read(dapr_files.run_file(settings))

    control = settings.ports.control
    assert rendered["common"]["placementHostAddress"] == f"127.0.0.1:{control.placement}"
    assert rendered["common"]["schedulerHostAddress"] == f"127.0.0.1:{control.scheduler}"
    for app in rendered["apps"]:
        ports = settings.ports.apps[app["appID"]]
        assert (app["appPort"], app["metricsPort"]) == (ports.grpc, ports.dapr_metrics)
        assert app["appDirPath"] == str(settings.home)


def test_a_moved_runs_components_use_its_broker(settings: Settings) -> None:
    """No component of a moved run uses the default broker."""
    dapr_files.run_file(settings)

    texts = [path.read_text() for path in (settings.run / "components").glob("*.yaml")]

    assert len(texts) == len(list((find_checkout() / "components").glob("*.yaml")))
    assert not any("16379" in text for text in texts)
    assert sum(str(settings.ports.control.broker) in text for text in texts) == 3


def test_each_dapr_resource_is_alone_in_its_file() -> None:
    """Dapr silently ignores a Resiliency that shares a file with another resource."""
    for path in (find_checkout() / "components").glob("*.yaml"):
        assert len(list(yaml.safe_load_all(path.read_text()))) == 1, path


def test_the_token_is_new_each_time_and_readable_by_its_user_only(settings: Settings) -> None:
    """No other user of the machine can read the token that protects the gRPC ports."""
    first = dapr_files.write_token(settings)
    second = dapr_files.write_token(settings)

    path = settings.run / "app-token"
    assert first != second == path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_shim_keeps_daprd_on_loopback(settings: Settings, tmp_path: Path) -> None:
    """`dapr run` starts the real daprd, without a port that is open to a network."""
    real = tmp_path / "real daprd"
    real.write_text('#!/bin/sh\necho "$DAPR_HOST_IP $*"\nexec sleep 60\n')
    real.chmod(0o755)
    shim = dapr_files.write_runtime_folder(settings, Runtime(real, real, real, real, "")) / ".dapr"

    with subprocess.Popen([shim / "bin" / "daprd", "--app-id", "orders", "--x", "a b"]) as process:
        log = settings.logs / "orders-daprd.log"
        deadline = time.monotonic() + 10
        while not (log.exists() and "\n" in log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.terminate()

    assert log.read_text().strip() == (
        "127.0.0.1 --app-id orders --x a b "
        "--dapr-internal-grpc-listen-address 127.0.0.1 --metrics-listen-address 127.0.0.1"
    )


def test_the_shim_quotes_the_paths_that_daprd_splits(settings: Settings, tmp_path: Path) -> None:
    """A checkout may lie in a folder with a comma or a quote in its name."""
    real = tmp_path / "daprd"
    real.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexec sleep 60\n")
    real.chmod(0o755)
    shim = dapr_files.write_runtime_folder(settings, Runtime(real, real, real, real, "")) / ".dapr"
    paths = ['/my "old", orders/a', "/my orders/b"]
    command = ["--app-id", "orders", "--config", paths[0], "--resources-path", paths[1]]

    with subprocess.Popen([shim / "bin" / "daprd", *command]) as process:
        log = settings.logs / "orders-daprd.log"
        deadline = time.monotonic() + 10
        while not (log.exists() and "--metrics" in log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.terminate()

    got = log.read_text().splitlines()
    assert [next(csv.reader([got[index]])) for index in (3, 5)] == [[path] for path in paths]
    assert got[5] == paths[1]  # which is how the Dapr CLI reads it


def test_the_shim_answers_for_its_version_like_daprd(settings: Settings, tmp_path: Path) -> None:
    """The CLI asks daprd for its version at every command, which needs no supervisor."""
    real = tmp_path / "daprd"
    real.write_text("#!/bin/sh\necho 1.18.1 $*\n")
    real.chmod(0o755)
    folder = dapr_files.write_runtime_folder(settings, Runtime(real, real, real, real, ""))

    outcome = subprocess.run(
        [folder / ".dapr" / "bin" / "daprd", "--version"], capture_output=True, check=True
    )

    assert outcome.stdout == b"1.18.1 --version\n"
