"""The page of disagreements: every kind that the doctor finds."""

from typing import Final

from orderflow_contracts.doctor import KINDS
from reference_pages.markdown import code, page, table

INTRODUCTION: Final = """\
`orderflow doctor` and `GET /doctor` list what disagrees, each with its kind. The name of a kind
never changes, so programs may rely on it. [Find what disagrees](../how-to/doctor.md) says how to
use them."""


def disagreements_page() -> str:
    """Write the page."""
    rows = (
        (code(kind.name), kind.meaning, "yes" if kind.is_healed else "no", kind.remedy)
        for kind in KINDS.values()
    )
    columns = ("Kind", "Meaning", "Healed by itself", "Remedy")
    return page("Disagreements", INTRODUCTION, table(columns, rows))
