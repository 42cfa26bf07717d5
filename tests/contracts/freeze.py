"""Freezes today's messages as the previous version, when a version is released.

See `previous/README.md`.
"""

import json
import shutil
from pathlib import Path
from typing import Any, Final

from contracts.test_golden_messages import MESSAGES, path_of
from orderflow_contracts.fields import Message
from orderflow_contracts.orders import OrderSubmitted

PREVIOUS: Final = Path(__file__).parent / "previous"
EXAMPLES: Final = PREVIOUS / "examples"
SCHEMAS: Final = PREVIOUS / "schemas.json"
MODELS: Final[dict[str, type[Message]]] = {
    **{name: type(message) for name, message in MESSAGES.items()},
    "orders.submitted-short": OrderSubmitted,
}
"""The model that reads each example."""


def schemas() -> dict[str, Any]:
    """Return today's schema of each message that has an example."""
    models = {model.__name__: model for model in MODELS.values()}
    return {name: models[name].model_json_schema() for name in sorted(models)}


def main() -> None:
    """Replace the examples and the schemas."""
    shutil.rmtree(EXAMPLES)
    EXAMPLES.mkdir()
    for name in MODELS:
        shutil.copy(path_of(name), EXAMPLES)
    SCHEMAS.write_text(json.dumps(schemas(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
