"""The site: built with warnings as errors, and nothing in it comes from another host."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from documents.markdown_files import ROOT

SITE: Final = ROOT / "build" / "site"
STRICTLY: Final = ("-W", "--keep-going", "-q", "-E", "-a")
LOADED: Final = re.compile(
    r"""<(?!a\b)[a-z]+\b[^>]*?\b(?:src|href|srcset|data|action)\s*=\s*["']?\s*((?:https?:)?//[^"'\s>]+)""",
    re.IGNORECASE,
)
STYLED: Final = re.compile(
    r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s]+)""", re.IGNORECASE
)
FETCHED: Final = re.compile(
    r"""(?:fetch|import|importScripts|Worker|\.src\s*=|\.href\s*=)\s*\(?\s*["'`]((?:https?:)?//[^"'`]+)"""
)


def build(source: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a site from scratch."""
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *STRICTLY, str(source), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site() -> Path:
    """Build the site of this repository, and keep it, so that `make docs` can use it."""
    outcome = build(ROOT / "docs", SITE)
    assert outcome.returncode == 0, outcome.stderr
    return SITE


def foreign(site: Path) -> set[str]:
    """Return the addresses on other hosts that a browser would load something from."""
    found: set[str] = set()
    for pattern, suffixes in (
        (LOADED, (".html", ".svg")),
        (STYLED, (".html", ".css", ".svg")),
        (FETCHED, (".html", ".js")),
    ):
        for path in site.rglob("*"):
            if path.suffix in suffixes:
                found.update(pattern.findall(path.read_text(encoding="utf-8")))
    return found


def test_the_site_loads_nothing_from_another_host(site: Path) -> None:
    """No page, style or script names a resource elsewhere; links that people follow may."""
    assert len(list(site.rglob("*.html"))) > 40
    assert foreign(site) == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://cdn.example/a.js"></script>'),
        ("b.html", '<link rel="stylesheet" href="//fonts.example/css">'),
        ("c.css", "@font-face { src: url('https://fonts.example/a.woff') }"),
        ("d.js", 'import("https://cdn.example/a.mjs")'),
    ],
)
def test_a_resource_elsewhere_is_found(tmp_path: Path, name: str, text: str) -> None:
    """Scripts, styles, fonts and modules of other hosts are noticed."""
    (tmp_path / name).write_text(text)

    assert len(foreign(tmp_path)) == 1


def test_broken_links_fail_the_build(tmp_path: Path) -> None:
    """Links to a page or an anchor that does not exist are errors that name it."""
    broken = ["no-such-page.md", "#no-such-heading", "index.md#not-this-one"]
    shutil.copy(ROOT / "docs" / "conf.py", tmp_path)
    links = "\n".join(f"- [broken]({link})" for link in broken)
    (tmp_path / "index.md").write_text(f"# Title\n\n{links}\n")

    outcome = build(tmp_path, tmp_path / "site")

    assert outcome.returncode != 0
    assert [link for link in broken if link.rpartition("#")[2] not in outcome.stderr] == []
