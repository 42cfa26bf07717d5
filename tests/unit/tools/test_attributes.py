"""The files of the project, as git checks them out with other settings."""

import os
import shutil
import subprocess
from pathlib import Path

from orderflow_tools.settings import find_checkout


def git(*arguments: str | Path) -> str:
    """Run git with the given settings only."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    outcome = subprocess.run(
        [shutil.which("git") or "git", *identity, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_a_clone_has_the_same_bytes_however_git_ends_lines(tmp_path: Path) -> None:
    """With core.autocrlf, as on Windows, scripts still start and pins keep their hashes."""
    root, repository, clone = find_checkout(), tmp_path / "repository", tmp_path / "clone"
    git("init", "--quiet", "--bare", repository)
    here = (f"--git-dir={repository}", f"--work-tree={root}")
    git(*here, "-c", "core.bare=false", "-c", "core.autocrlf=false", "add", "--all", root)
    git(*here, "-c", "core.bare=false", "commit", "--quiet", "--message=all")

    git("clone", "--quiet", "-c", "core.autocrlf=true", repository, clone)

    names = git(*here, "ls-files", "-z").split("\0")[:-1]
    changed = [name for name in names if (clone / name).read_bytes() != (root / name).read_bytes()]
    assert "tools/keep-alive" in names
    assert changed == []
