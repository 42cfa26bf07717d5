"""Copies files of npm packages into the project, in the locked versions.

So Orderflow and its tests run without npm, and no page loads anything from another host.
"""

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orderflow_tools.console import print_line, step
from orderflow_tools.errors import PlatformError


@dataclass(frozen=True)
class Vendored:
    """Files to copy from the packages that one folder pins."""

    pins: str
    """The folder with `package.json` and `package-lock.json`, from the root."""
    target: str
    """The folder of the copies, from the root."""
    files: dict[str, dict[str, str]]
    """The files to copy from each package, with their names in the target."""


PAGES: Final = Vendored(
    pins="libraries/hosting/web",
    target="libraries/hosting/src/orderflow_hosting/web/static/vendor",
    files={
        "@picocss/pico": {"css/pico.min.css": "pico.min.css", "LICENSE.md": "pico.LICENSE"},
        "htmx.org": {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "htmx.LICENSE"},
        "htmx-ext-sse": {
            "dist/sse.min.js": "htmx-ext-sse.min.js",
            "LICENSE": "htmx-ext-sse.LICENSE",
        },
        "idiomorph": {
            "dist/idiomorph-ext.min.js": "idiomorph-ext.min.js",
            "LICENSE": "idiomorph.LICENSE",
        },
        "swagger-ui-dist": {
            "swagger-ui-bundle.js": "swagger-ui-bundle.js",
            "swagger-ui.css": "swagger-ui.css",
            "LICENSE": "swagger-ui.LICENSE",
            "NOTICE": "swagger-ui.NOTICE",
        },
    },
)
"""What the pages load in a browser."""

PARSER: Final = Vendored(
    pins="tests/contracts/asyncapi-parser",
    target="tests/contracts/asyncapi-parser/vendor",
    files={
        "@asyncapi/parser": {
            "browser/index.js": "asyncapi-parser.js",
            "browser/index.js.LICENSE.txt": "asyncapi-parser.LICENSE",
        },
    },
)
"""What the tests check the AsyncAPI document with; a single file with all that it depends on."""

RECORD: Final = "vendored.json"


def vendor(root: Path) -> None:
    """Fetch the pinned packages with npm, copy their files, and record what was copied."""
    npm = shutil.which("npm")
    if npm is None:
        raise PlatformError("`npm` is needed to fetch the pinned packages; install Node.js.")
    for each in (PAGES, PARSER):
        with step(f"fetching the packages pinned in {each.pins}"):
            subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=root / each.pins,
                check=True,
            )
        _copy(each, root)
        print_line(f"{len(each.files)} packages were copied to {each.target}.")


def _copy(vendored: Vendored, root: Path) -> None:
    packages = root / vendored.pins / "node_modules"
    target = root / vendored.target
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    record: dict[str, Any] = {}
    for package, files in vendored.files.items():
        version = json.loads((packages / package / "package.json").read_text())["version"]
        hashes = {}
        for source_name, target_name in files.items():
            content = (packages / package / source_name).read_bytes()
            (target / target_name).write_bytes(content)
            hashes[target_name] = hashlib.sha256(content).hexdigest()
        record[package] = {"version": version, "files": hashes}
    (target / RECORD).write_text(json.dumps(record, indent=2) + "\n")
