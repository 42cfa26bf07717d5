"""The example in the workflow runtime's README works as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

from system.engine_platform import EnginePlatform

README = Path(__file__).parents[2] / "libraries" / "workflow_runtime" / "README.md"


def test_the_example_of_the_workflow_runtime_runs(
    engine_platform: EnginePlatform, tmp_path: Path
) -> None:
    """The workflow starts, runs its step, receives its event, and returns."""
    found = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    example = tmp_path / "example.py"
    example.write_text(found[1])
    ports = engine_platform.family.ports

    ended = subprocess.run(
        [sys.executable, str(example)],
        env={
            **os.environ,
            "HTTP_PORT": str(ports.http),
            "GRPC_PORT": str(ports.http),
            "DAPR_HTTP_PORT": str(ports.dapr_http),
            "DAPR_GRPC_PORT": str(ports.dapr_grpc),
            "APP_API_TOKEN": "a-token-for-the-example",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "Hello, Ada!" in ended.stdout, ended.stderr
    assert ended.returncode == 0, ended.stderr
