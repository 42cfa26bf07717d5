import re
import shutil
import subprocess
from pathlib import Path

from fakes.container_engine import FakeEngine
from orderflow_contracts.names import LOCAL_PORTS
from orderflow_tools.containers import images
from orderflow_tools.settings import APPS, find_checkout


def test_each_image_gets_its_tags_and_its_revision() -> None:
    """An image is tagged as the last build and with its version, and records the commit."""
    engine = FakeEngine(here={})

    names = images.build_images(engine)

    assert names == [f"docker.io/orderflow/{app}:dev" for app in APPS]
    assert [tags for tags, _ in engine.built] == [
        [f"docker.io/orderflow/{app}:dev", f"docker.io/orderflow/{app}:0.1.0"] for app in APPS
    ]
    for app, (_, arguments) in zip(APPS, engine.built, strict=True):
        ports = LOCAL_PORTS[app]
        assert (arguments["SERVICE"], arguments["VERSION"]) == (app, "0.1.0")
        assert (arguments["HTTP_PORT"], arguments["GRPC_PORT"]) == (
            str(ports.http),
            str(ports.grpc),
        )
        assert arguments["REVISION"] == images.revision_of(find_checkout())


def committed(folder: Path) -> Path:
    """Make a repository with one commit."""
    for command in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "--message=one"]):
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        git = shutil.which("git") or "git"
        subprocess.run([git, "-C", folder, *identity, *command], check=True)
    return folder


def test_the_revision_is_the_commit(tmp_path: Path) -> None:
    """An image records which sources it was built from."""
    assert re.fullmatch("[0-9a-f]{40}", images.revision_of(committed(tmp_path)))


def test_without_git_the_revision_is_unknown(tmp_path: Path) -> None:
    """Sources without history can be built, even inside another repository."""
    archive = committed(tmp_path) / "archive"
    archive.mkdir()

    assert images.revision_of(archive) == "unknown"


def test_saved_images_are_files_of_their_own(tmp_path: Path) -> None:
    """Each image can be loaded separately."""
    names = ["docker.io/orderflow/orders:dev", "docker.io/orderflow/orders:0.1.0"]

    archives = images.save_images(FakeEngine(here={}), names, tmp_path / "archives")

    assert [archive.read_text() for archive in archives] == names
    assert len(set(archives)) == 2
