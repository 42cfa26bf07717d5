"""Copies what the pages load in a browser from npm into the project, in the locked versions.

So Orderflow runs without Node.js, and no page loads anything from another host.
"""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from orderflow_tools.console import print_line, step
from orderflow_tools.errors import PlatformError

FILES: Final = {
    "@picocss/pico": {"css/pico.min.css": "pico.min.css", "LICENSE.md": "pico.LICENSE"},
    "htmx.org": {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "htmx.LICENSE"},
    "htmx-ext-sse": {"dist/sse.min.js": "htmx-ext-sse.min.js", "LICENSE": "htmx-ext-sse.LICENSE"},
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
}
"""The files to copy from each package, with their names here."""

RECORD: Final = "vendored.json"


def vendor(root: Path) -> None:
    """Fetch the pinned packages with npm, copy their files, and record what was copied."""
    source = root / "libraries" / "hosting" / "web"
    target = (
        root / "libraries" / "hosting" / "src" / "orderflow_hosting" / "web" / "static" / "vendor"
    )
    npm = shutil.which("npm")
    if npm is None:
        raise PlatformError(
            "`npm` is needed to fetch the files that the pages load; install Node.js."
        )
    with step("fetching the pinned packages"):
        subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=source, check=True
        )
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    record: dict[str, Any] = {}
    for package, files in FILES.items():
        package_folder = source / "node_modules" / package
        version = json.loads((package_folder / "package.json").read_text())["version"]
        hashes = {}
        for source_name, target_name in files.items():
            content = (package_folder / source_name).read_bytes()
            (target / target_name).write_bytes(content)
            hashes[target_name] = hashlib.sha256(content).hexdigest()
        record[package] = {"version": version, "files": hashes}
    (target / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    print_line(f"{len(record)} packages were copied to {target}.")
