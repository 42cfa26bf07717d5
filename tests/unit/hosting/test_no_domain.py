"""Hosting works for any service: it contains no word of the services' domains."""

import re
from pathlib import Path

import orderflow_hosting
from orderflow_contracts.names import LOCAL_PORTS

SOURCE = Path(orderflow_hosting.__file__).parent
SUFFIXES = {".py", ".html", ".js", ".css"}
DOMAIN = {
    *LOCAL_PORTS,
    *("order", "approval", "approver", "batch", "batches", "customer", "stock", "reservation"),
    *("payment", "refund", "warehouse", "shipment", "out_of_stock", "awaiting_approval"),
}
OTHERS_NAMES = re.compile("order_by|render_as_batch")
"""Names of SQLAlchemy and Alembic."""
WORD = re.compile(r"[a-z]+(?:_[a-z]+)*")


def words_of(line: str) -> set[str]:
    """Return the words of a line: whole names and their parts."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", line).lower()
    names = set(WORD.findall(OTHERS_NAMES.sub("", spaced)))
    return names | {part for name in names for part in name.split("_")}


def own_files() -> list[Path]:
    files = (path for path in SOURCE.rglob("*") if path.suffix in SUFFIXES)
    return [path for path in files if "vendor" not in path.parts]


def test_no_line_of_hosting_has_a_word_of_the_domain() -> None:
    """Anything specific to a service must be passed in by that service."""
    found = [
        f"{path.relative_to(SOURCE)}:{number}: {line.strip()}"
        for path in own_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if words_of(line) & DOMAIN
    ]

    assert len(own_files()) > 50
    assert found == []


def test_domain_words_are_found_within_identifiers() -> None:
    """Snake case, camel case and attributes are checked; the product's own name is allowed."""
    for line in ("order_id = 1", "class OrderFeed:", 'Column("customer_id")', "/orders/stream"):
        assert words_of(line) & DOMAIN, line
    for line in (
        "from orderflow_hosting import x",
        "query.order_by(x)",
        "border: 0",
        "OrderedDict",
    ):
        assert not words_of(line) & DOMAIN, line
