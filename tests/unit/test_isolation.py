"""Tests see the same environment, whoever runs them and wherever."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from isolation import MACHINE
from orderflow_tools.settings import find_checkout

TESTS = find_checkout() / "tests"
PROBE = TESTS / "unit" / "environment_probe.py"
NETWORK = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "SSL_CERT_FILE": "/etc/company.pem",
}
REGISTRIES = {"PIP_INDEX_URL": "https://packages/simple", "GOPROXY": "https://packages/go"}
HOSTILE = {
    **NETWORK,
    "LANG": "de_DE.ISO-8859-1",
    "LC_ALL": "POSIX",
    "LC_TIME": "de_DE",
    "LANGUAGE": "de",
    "TZ": "Asia/Kolkata",
    "ORDERS_FOO": "1",
    "INVENTORY_HTTP_PORT": "1",
    "APPROVALS_DATABASE_URL": "postgresql://db/mine",
    "ORDERFLOW_PORT_OFFSET": "17",
    "ORDERFLOW_POSTGRES_URL": "postgresql://db/mine",
    "ORDERFLOW_TOKEN": "mine",
    "DAPR_GRPC_PORT": "1",
    "DAPR_API_TOKEN": "x",
    "APP_API_TOKEN": "x",
    "LOG_LEVEL": "loud",
    "LOG_FORMAT": "xml",
    "PYTHONWARNINGS": "ignore",
    "PYTHONOPTIMIZE": "0",
    "COLUMNS": "20",
    "NO_COLOR": "1",
    "PGHOST": "db",
    "GIT_DIR": "/elsewhere",
    "MAKEFLAGS": "-n",
    "grpc_proxy": "http://127.0.0.1:9",
    "SOMETHING_NEW": "1",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a user's home, with an installed Dapr and the token of a run."""
    home = tmp_path_factory.mktemp("user")
    for name in (".dapr/bin/daprd", "run/token", ".gitconfig"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("ofl_" + "x" * 43)
        (home / name).chmod(0o600)
    return home


@pytest.fixture(scope="module", params=["-n0", "-n1"], ids=["alone", "in a worker"])
def seen(home: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the environment of a test that is run in a hostile environment."""
    options = ["-q", "-rP", "-p", "no:cacheprovider", request.param]
    command = [sys.executable, "-m", "pytest", *options, str(PROBE)]
    run = {"PATH": os.environ["PATH"], "HOME": str(home), "ORDERFLOW_HOME": str(home / "run")}
    done = subprocess.run(
        command,
        cwd=find_checkout(),
        env={**run, **HOSTILE, **REGISTRIES},
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("SEEN "))
    found: dict[str, Any] = json.loads(line.removeprefix("SEEN "))
    return found


@pytest.mark.parametrize("variable", HOSTILE)
def test_a_users_variable_does_not_reach_what_tests_start(
    variable: str, seen: dict[str, Any]
) -> None:
    """Each is unset, or has the tests' own value."""
    assert seen["variables"].get(variable) != HOSTILE[variable]


def test_language_time_zone_and_umask_are_the_tests_own(seen: dict[str, Any]) -> None:
    """This includes the process that started with others."""
    assert seen["encoding"].upper() == "UTF-8"
    assert seen["zone"] == [0, 0]
    assert seen["umask"] == 0o022


def test_a_users_run_and_home_are_not_seen(seen: dict[str, Any], home: Path) -> None:
    """Neither the token of a run nor a file of the home folder is used."""
    variables = seen["variables"]

    assert not seen["token"]
    assert not Path(variables["HOME"]).is_relative_to(home)
    assert not Path(variables["ORDERFLOW_HOME"]).is_relative_to(find_checkout())
    assert not Path(variables["HOME"]).exists(), "the tests' home was left behind"


def test_the_users_caches_are_used(seen: dict[str, Any], home: Path) -> None:
    """Caches, an installed Dapr and the settings of package registries stay the user's."""
    variables = seen["variables"]

    assert variables["XDG_CACHE_HOME"] == str(home / ".cache")
    assert variables["GOPATH"] == str(home / "go")
    assert variables["DAPR_RUNTIME_PATH"] == str(home)
    assert {name: variables[name] for name in REGISTRIES} == REGISTRIES


def test_installing_uses_the_machines_network(seen: dict[str, Any], home: Path) -> None:
    """Proxies, certificates and the home are available for that only."""
    on_machine = seen["on the machine"]

    assert {name: on_machine[name] for name in NETWORK} == NETWORK
    assert on_machine["HOME"] == str(home)
    assert "ORDERS_FOO" not in on_machine


def test_this_run_is_isolated() -> None:
    """Every other variable has been removed."""
    assert os.environ["HOME"] != MACHINE.get("HOME")
    assert os.environ["TZ"] == "UTC"


def test_every_child_process_has_the_tests_environment() -> None:
    """A child with other variables would use the user's run by default."""
    bare = [
        f"{path.relative_to(TESTS)}:{value.lineno}"
        for path in sorted(TESTS.rglob("*.py"))
        if path != Path(__file__)
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        for value in (keyword.value for keyword in call.keywords if keyword.arg == "env")
        if isinstance(value, ast.Dict) and None not in value.keys
    ]

    assert bare == []
