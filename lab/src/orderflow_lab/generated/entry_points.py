"""The entry point of each service."""

from pathlib import Path
from typing import Final

from orderflow_contracts.names import SERVICES
from orderflow_contracts.service import Service

_MIGRATES: Final = ", migrate its database with `… migrate`"


def entry_points() -> dict[Path, str]:
    """Return the text of each service's entry point, by its path in the checkout."""
    return {
        Path(f"services/{app_id}/src/{app_id}/__main__.py"): _text(service)
        for app_id, service in SERVICES.items()
    }


def _text(service: Service) -> str:
    app_id, also = service.app_id, _MIGRATES if service.has_tables else ""
    return (
        f'"""Start the service with `python -m {app_id}`{also}."""\n\n'
        "# Written by `make generate` from the declarations of the services.\n"
        "from orderflow_hosting.launch import launch\n\n"
        f'launch("{app_id}")\n'
    )
