import shutil
from pathlib import Path

import pytest

from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import find_checkout
from orderflow_tools.toolchain import cache, dapr, go_compiler

MODULES = find_checkout() / "tools" / "dapr-toolchain"


def installed(folder: Path, version: str, *, without: str = "") -> dict[str, str]:
    """Put a fake Dapr installation into a folder; return the environment that finds it."""
    binaries = folder / ".dapr" / "bin"
    binaries.mkdir(parents=True)
    for program in [binaries / name for name in ("daprd", "placement", "scheduler")]:
        if program.name != without:
            program.write_text(f"#!/bin/sh\necho {version}\n")
            program.chmod(0o755)
    cli = folder / "dapr"
    cli.write_text("#!/bin/sh\n")
    cli.chmod(0o755)
    return {"PATH": str(folder), "DAPR_RUNTIME_PATH": str(folder)}


def test_an_installation_of_the_same_minor_version_is_used_and_named(tmp_path: Path) -> None:
    """An installed Dapr 1.18 is not built again, and the message says that it is used."""
    found = dapr.find_installed(installed(tmp_path, "1.18.7"))

    assert found
    assert found.daprd == tmp_path / ".dapr" / "bin" / "daprd"
    assert "Dapr 1.18.7, installed in" in found.origin


@pytest.mark.parametrize("version", ["1.17.9", "2.18.1", "edge", ""])
def test_another_version_is_not_used(tmp_path: Path, version: str) -> None:
    """Only one minor version was tested."""
    assert dapr.find_installed(installed(tmp_path, version)) is None


def test_an_installation_without_its_scheduler_is_not_used(tmp_path: Path) -> None:
    """An installation in containers has no scheduler program to start."""
    assert dapr.find_installed(installed(tmp_path, "1.18.1", without="scheduler")) is None


def test_any_installation_is_used_on_demand(tmp_path: Path) -> None:
    """The message says that it was not tested."""
    environment = {**installed(tmp_path, "1.19.0"), "DAPR": "installed"}

    found = dapr.find_runtime(tmp_path, environment)

    assert found.daprd == tmp_path / ".dapr" / "bin" / "daprd"
    assert found.origin.startswith("Dapr 1.19.0, installed in ")
    assert found.origin.endswith("Orderflow was not tested with it, but with 1.18.1")


def test_a_tested_installation_is_used_on_demand_without_a_warning(tmp_path: Path) -> None:
    """Asking for the installation changes nothing if it would be used anyway."""
    environment = installed(tmp_path, "1.18.7")

    assert dapr.find_runtime(tmp_path, {**environment, "DAPR": "installed"}) == dapr.find_runtime(
        tmp_path, environment
    )


def test_an_installation_on_the_path_is_used_on_demand(tmp_path: Path) -> None:
    """A package of an operating system does not install where the Dapr CLI does."""
    environment = installed(tmp_path, "edge")
    binaries = tmp_path / ".dapr" / "bin"
    environment |= {"PATH": f"{tmp_path}:{binaries}", "DAPR_RUNTIME_PATH": "/nowhere"}

    found = dapr.find_runtime(tmp_path, {**environment, "DAPR": "installed"})

    assert found.scheduler == binaries / "scheduler"
    assert "Dapr edge, installed in" in found.origin


@pytest.mark.parametrize("without", ["daprd", "placement", "scheduler"])
def test_a_demand_for_an_installation_that_is_not_there_is_refused(
    tmp_path: Path, without: str
) -> None:
    """Nothing is built instead, and the message says what is missing."""
    environment = {**installed(tmp_path, "1.18.1", without=without), "DAPR": "installed"}

    with pytest.raises(PlatformError, match=r"no Dapr is installed: .*scheduler in"):
        dapr.find_runtime(tmp_path, environment)


def test_another_choice_of_dapr_is_refused(tmp_path: Path) -> None:
    """A typing error does not start a build."""
    with pytest.raises(PlatformError, match="DAPR: instaled is not known"):
        dapr.find_runtime(tmp_path, {**installed(tmp_path, "1.18.1"), "DAPR": "instaled"})


def test_the_key_is_the_same_for_every_clone(tmp_path: Path) -> None:
    """Clones share a build, because the path of the modules does not matter."""
    clone = shutil.copytree(MODULES, tmp_path / "clone")

    assert dapr.build_key(clone) == dapr.build_key(MODULES)


@pytest.mark.parametrize("name", ["runtime/go.mod", "runtime/go.sum", "cli/go.mod", "cli/go.sum"])
def test_the_key_changes_with_every_pin(tmp_path: Path, name: str) -> None:
    """A changed pin causes a new build."""
    clone = shutil.copytree(MODULES, tmp_path / "clone")
    with (clone / name).open("a") as file:
        file.write("\n")

    assert dapr.build_key(clone) != dapr.build_key(MODULES)


def test_the_key_changes_with_the_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build with other flags is another build."""
    before = dapr.build_key(MODULES)

    monkeypatch.setattr(dapr, "TARGETS", dapr.TARGETS[:1])

    assert dapr.build_key(MODULES) != before


def test_the_pins_are_the_versions_that_are_stamped() -> None:
    """The programs report the versions that the modules pin."""
    runtime, cli = ((MODULES / name / "go.mod").read_text() for name in ("runtime", "cli"))

    assert f"github.com/dapr/dapr v{dapr.RUNTIME_VERSION}" in runtime
    assert f"github.com/dapr/cli v{dapr.CLI_VERSION}" in cli


def test_the_wheel_is_new_enough_for_both_modules() -> None:
    """On a machine without Go, the wheel can build everything."""
    carried = tuple(int(part) for part in go_compiler.WHEEL.partition("==")[2].split("."))

    for name in ("runtime", "cli"):
        assert carried >= go_compiler.required_version((MODULES / name / "go.mod").read_text())


def test_the_cache_follows_the_users_variable() -> None:
    """XDG_CACHE_HOME moves the builds."""
    assert cache.cache_folder({"XDG_CACHE_HOME": "/big"}) == Path("/big/orderflow")
