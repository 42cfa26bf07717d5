"""The list of pages, each with the function that writes it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from reference_pages.commands import commands_page
from reference_pages.disagreements import disagreements_page
from reference_pages.http import http_page
from reference_pages.ports import ports_page
from reference_pages.problems import problems_page
from reference_pages.settings import SERVICES, settings_page
from reference_pages.statuses import statuses_page
from reference_pages.topics import topics_page

FOLDER: Final = Path(__file__).resolve().parents[1] / "reference"
PAGES: Final[dict[str, Callable[[], str]]] = {
    "settings.md": settings_page,
    "topics.md": topics_page,
    **{f"http-{service}.md": partial(http_page, service) for service in SERVICES},
    "commands.md": commands_page,
    "statuses.md": statuses_page,
    "problem-codes.md": problems_page,
    "disagreements.md": disagreements_page,
    "ports.md": ports_page,
}
