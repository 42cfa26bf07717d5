"""The texts of the public JSONTestSuite on the real platform, as events and over HTTP."""

import base64
import re
from typing import Any, Final

import pytest

from json_test_suite import AMBIGUOUS, READ_EITHER_WAY, parsing_texts
from system.shop import Shop, new_id, wait_for

TEXTS: Final = parsing_texts()
UNREADABLE: Final = re.compile(
    r"not JSON|not UTF-8|nested deeper|occurs more than once|beyond the range|lone surrogate"
    r"|is not a number in JSON"
)
"""The reasons for which a text is refused before it is judged as an order."""
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"


def is_json(name: str) -> bool:
    """Return whether the services read a text; those that are ambiguous they refuse."""
    return name in READ_EITHER_WAY or (name.startswith("y_") and name not in AMBIGUOUS)


def publish(shop: Shop, text: bytes, content_type: str, **metadata: str) -> int:
    params = {f"metadata.{name}": value for name, value in metadata.items()}
    url = f"{shop.platform.sidecar_url('orders')}/v1.0/publish/pubsub/orders.submitted"
    headers = {"content-type": content_type}
    return shop.http.post(url, content=text, headers=headers, params=params).status_code


def letters(shop: Shop, known: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Add the dead letters that are not known yet, with their bytes."""
    url, after = shop.url("orders", "/dead-letters"), None
    while True:
        params = {"limit": "500"} | ({"after": after} if after else {})
        page = shop.http.get(url, params=params).json()
        new = [letter["id"] for letter in page["items"] if letter["id"] not in known]
        for letter_id in new:
            letter = shop.http.get(f"{url}/{letter_id}").json()
            known[letter_id] = {**letter, "bytes": base64.b64decode(letter["data_base64"])}
        after = page["next"]
        if after is None or not new:
            return known


def test_a_text_is_judged_alike_as_an_event_and_over_http(shop: Shop) -> None:
    """As bytes or as a body: JSON is refused as an order, all else as unreadable, none is lost."""
    known = dict(letters(shop, {}))
    before = set(known)

    def send(name: str) -> tuple[int, int, str]:
        taken = publish(shop, TEXTS[name], JSON, rawPayload="true")
        url = shop.url("orders", "/orders")
        answer = shop.http.post(url, content=TEXTS[name], headers={"content-type": JSON})
        return taken, answer.status_code, answer.json()["detail"]

    sent = dict(zip(TEXTS, shop.at_once(send, TEXTS), strict=True))

    def by_text() -> dict[bytes, list[str]] | None:
        reasons: dict[bytes, list[str]] = {}
        for letter_id, letter in letters(shop, known).items():
            if letter_id not in before:
                reasons.setdefault(letter["bytes"], []).append(letter["reason"])
        return reasons if set(TEXTS.values()) <= set(reasons) else None

    assert {taken for taken, _, _ in sent.values()} == {204}
    reasons = wait_for("a dead letter for every text", by_text)
    wait_for("all to be handled", lambda: shop.all_acknowledged("orders.submitted.dead"))
    reasons = by_text() or {}
    wrong = {
        name: (status, detail, reasons[TEXTS[name]])
        for name, (_, status, detail) in sent.items()
        if status != 422
        or len(reasons[TEXTS[name]]) != 1
        or not reasons[TEXTS[name]][0].startswith("invalid: ")
        or bool(UNREADABLE.search(reasons[TEXTS[name]][0])) is is_json(name)
        or (bool(UNREADABLE.search(detail)) is is_json(name) and TEXTS[name] != b"")
    }
    assert wrong == {}


@pytest.mark.parametrize("content_type", [JSON, FORM])
def test_a_text_that_a_sidecar_wraps_is_refused(shop: Shop, content_type: str) -> None:
    """None becomes an order and none is lost, whatever the publisher's sidecar makes of it."""
    run = new_id("text")
    ids = {f"{run}.{number}": name for number, name in enumerate(TEXTS)}

    def send(event_id: str) -> bool:
        text = TEXTS[ids[event_id]]
        return publish(shop, text, content_type, **{"cloudevent.id": event_id}) == 204

    taken = {event_id for event_id, ok in zip(ids, shop.at_once(send, ids), strict=True) if ok}
    known: dict[int, dict[str, Any]] = {}

    def found() -> list[dict[str, Any]] | None:
        ours = [one for one in letters(shop, known).values() if one["event_id"] in ids]
        return ours if {one["event_id"] for one in ours} >= taken else None

    assert len(taken) > len(TEXTS) * 0.9
    wait_for("a dead letter for every text", found)
    wait_for("all to be handled", lambda: shop.all_acknowledged("orders.submitted.dead"))
    ours = found() or []
    assert len(ours) == len(taken)
    assert {one["reason"].partition(":")[0] for one in ours} == {"invalid"}
    subjects = {one["order_id"] for one in ours} - {None}
    assert {shop.wait_final(order_id)["reason"] for order_id in subjects} <= {"invalid"}
