"""Commands about events that could not be handled."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fakes.command import Run
from fakes.shop import NOW, Shop

pytestmark = pytest.mark.usefixtures("settings")


@pytest.fixture
def letters(shop: Shop) -> None:
    """Put a dead letter with the same number in both services, and a resent one."""

    def letter(number: int, resent_at: str | None = None) -> dict[str, object]:
        return {
            "id": number,
            "topic": "orders.submitted",
            "event_id": f"event-{number}",
            "order_id": None,
            "reason": "invalid: \x1b[31mlines: Field required",
            "data": '{"oops": 1}',
            "received_at": NOW,
            "resent_at": resent_at,
        }

    shop.letters["orders"] = [letter(2), letter(1, NOW)]
    shop.letters["approvals"] = [letter(1)]


@pytest.mark.usefixtures("letters")
def test_dead_letters_of_both_services_are_listed(run: Run) -> None:
    """Names are unique across services, and control characters are removed."""
    outcome = run("dead-letters")

    assert re.findall(r"^(?:orders|approvals):\d", outcome.out, re.MULTILINE) == [
        "orders:2",
        "orders:1",
        "approvals:1",
    ]
    assert "invalid: ?[31mlines: Field required" in outcome.out
    assert len(json.loads(run("dead-letters", "--json").out)) == 3


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    ("arguments", "resent"),
    [
        (["all", "--yes"], ["orders:2", "approvals:1"]),
        (["approvals:1"], ["approvals:1"]),
        (["2"], ["orders:2"]),
        (["orders:1"], ["orders:1"]),
    ],
)
def test_dead_letters_are_resent(
    run: Run, shop: Shop, arguments: list[str], resent: list[str]
) -> None:
    """All that have not been resent, or the one that is named, are resent."""
    outcome = run("dead-letters", "resend", *arguments)

    assert (shop.resent, outcome.code) == (resent, 0)
    assert outcome.lines[-1] == f"{len(resent)} resent."


@pytest.mark.usefixtures("letters")
def test_all_that_are_waiting_are_resent_behind_any_number_of_others(run: Run, shop: Shop) -> None:
    """The list of those that were resent may have several pages."""
    waiting, resent = shop.letters["orders"]
    shop.letters["orders"] = [{**resent, "id": 1000 - each} for each in range(150)] + [waiting]

    run("dead-letters", "resend", "all", "--yes")

    assert shop.resent == ["orders:2", "approvals:1"]


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1", "1 is ambiguous: use orders:1 or approvals:1"),
        ("9", "there is no dead letter 9"),
        ("stock:1", "no dead letter stock:1"),
        ("../x", "no dead letter"),
    ],
)
def test_an_ambiguous_dead_letter_is_reported(run: Run, name: str, message: str) -> None:
    """Nothing is resent if the name matches none or several."""
    outcome = run("dead-letters", "resend", name)

    assert outcome.code == 1
    assert message in outcome.err


@pytest.mark.usefixtures("letters")
def test_a_dead_letter_is_shown_with_its_payload(run: Run) -> None:
    """It is printed without control characters, and completely as JSON."""
    outcome = run("dead-letters", "show", "orders:2")

    assert "event-2" in outcome.out
    assert "invalid: ?[31mlines: Field required" in outcome.out
    assert outcome.lines[-1] == '{"oops": 1}'
    assert (
        json.loads(run("dead-letters", "show", "orders:2", "--json").out)["data"] == '{"oops": 1}'
    )


@pytest.mark.usefixtures("letters")
def test_a_payload_that_is_not_text_is_shown_in_base64(run: Run, shop: Shop) -> None:
    """No byte of it controls the terminal."""
    shop.letters["orders"][0] |= {"data": None, "data_base64": "/wA="}

    assert run("dead-letters", "show", "orders:2").lines[-1] == "/wA="


@pytest.mark.usefixtures("letters")
def test_a_dead_letter_is_resent_corrected(run: Run, shop: Shop, tmp_path: Path) -> None:
    """The corrected event is read from a file, and its new id is printed."""
    file = tmp_path / "corrected.json"
    file.write_text('{"order_id": "o-1"}')

    outcome = run("dead-letters", "resend", "orders:2", "--file", str(file))

    assert (shop.resent, shop.corrections) == (["orders:2"], [{"order_id": "o-1"}])
    assert "as event event-new" in outcome.out


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("orders:2", "{", "is not JSON"),
        ("orders:2", "null", "is no event"),
        ("all", "{}", "--file corrects one"),
    ],
)
def test_an_unusable_correction_is_reported(
    run: Run, shop: Shop, tmp_path: Path, name: str, content: str, message: str
) -> None:
    """Nothing is resent."""
    file = tmp_path / "corrected.json"
    file.write_text(content)

    outcome = run("dead-letters", "resend", name, "--file", str(file))

    assert (outcome.code, shop.resent) == (1, [])
    assert message in outcome.err


@pytest.mark.usefixtures("letters")
def test_a_correction_is_sent_as_it_is_written(run: Run, shop: Shop, tmp_path: Path) -> None:
    """The service reads it strictly: `NaN`, for example, is for the service to refuse."""
    file = tmp_path / "corrected.json"
    file.write_text('{"n": NaN}')

    outcome = run("dead-letters", "resend", "orders:2", "--file", str(file))

    assert (outcome.code, str(shop.corrections)) == (0, "[{'n': nan}]")


@pytest.mark.usefixtures("letters")
def test_a_dead_letter_is_discarded(run: Run, shop: Shop) -> None:
    """With a reason, which is required."""
    assert run("dead-letters", "discard", "orders:2").code == 2
    outcome = run("dead-letters", "discard", "orders:2", "--reason", "a test")

    assert (outcome.code, outcome.lines[-1]) == (0, "orders:2 discarded.")
    assert shop.discarded == {"orders:2": {"reason": "a test"}}


@pytest.mark.usefixtures("letters")
def test_a_discarded_dead_letter_is_not_resent_with_the_others(run: Run, shop: Shop) -> None:
    """It needs nothing more."""
    shop.letters["orders"][0] |= {"discarded_at": NOW, "discard_reason": "a test"}

    assert "discarded" in run("dead-letters").out
    run("dead-letters", "resend", "all", "--yes")
    assert shop.resent == ["approvals:1"]


@pytest.mark.usefixtures("letters")
def test_what_would_be_resent_is_shown_before_it_is_confirmed(run: Run, shop: Shop) -> None:
    """All that are waiting, each with the beginning of its payload, which controls no terminal."""
    shop.letters["orders"][0] |= {"data": '{"note": "\x1b[31m"}', "data_base64": "eyJvb3BzIjogMX0="}
    shop.letters["approvals"][0] |= {"data": None, "data_base64": "/wA="}

    outcome = run("dead-letters", "resend", "all", typed="y\n")

    rows = [line for line in outcome.err.splitlines() if "event-" in line]
    assert re.search(r'^orders:2 .* event-2 .*\{"note": "\?\[31m"\} +11$', rows[0])
    assert re.search(r"^approvals:1 .* event-1 .*not text +2$", rows[1])
    assert "Resend 2 dead letters? [y/N]" in outcome.err
    assert (shop.resent, outcome.lines[-1]) == (["orders:2", "approvals:1"], "2 resent.")


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("typed", ["", "n\n", "\n"])
def test_nothing_is_resent_without_confirmation(run: Run, shop: Shop, typed: str) -> None:
    """Nor if there is nobody to ask."""
    outcome = run("dead-letters", "resend", "all", typed=typed)

    assert (outcome.code, shop.resent) == (1, [])
    assert "not confirmed" in outcome.err


def test_nothing_is_asked_if_nothing_is_waiting(run: Run) -> None:
    """There is nothing to confirm."""
    outcome = run("dead-letters", "resend", "all")

    assert (outcome.code, outcome.out) == (0, "0 resent.\n")


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("command", [[], ["resend", "all", "--yes"]])
def test_dead_letters_are_chosen_by_the_filters_of_the_services(
    run: Run, shop: Shop, command: list[str]
) -> None:
    """A list and `resend all` take the same ones; times without a zone are local."""
    filters = ["--topic", "orders.submitted", "--reason", "no", "--text", "o-1"]
    times = ["--since", "2026-03-01T12:00:00+01:00", "--before", "2026-03-02T00:00:00Z"]

    run("dead-letters", *command, *filters, *times)

    assert len(shop.letter_queries) == 2
    for query in shop.letter_queries:
        assert (query["topic"], query["reason"], query["q"]) == ("orders.submitted", "no", "o-1")
        moments = [datetime.fromisoformat(query[f"received_{each}"]) for each in ("from", "before")]
        assert [at.astimezone(UTC).hour for at in moments] == [11, 0]
        assert query.get("state") == ("waiting" if command else None)


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    ("arguments", "code"), [(["--since", "soon"], 2), (["resend", "orders:2", "--text", "x"], 1)]
)
def test_an_unusable_filter_is_reported(
    run: Run, shop: Shop, arguments: list[str], code: int
) -> None:
    """Nothing is resent."""
    outcome = run("dead-letters", *arguments)

    assert (outcome.code, shop.resent) == (code, [])
    assert outcome.err


@pytest.mark.usefixtures("letters")
def test_dead_letters_are_listed_by_state(run: Run) -> None:
    """For example those that were resent."""
    assert re.findall(r"^\w+:\d", run("dead-letters", "--state", "resent").out, re.MULTILINE) == [
        "orders:1"
    ]


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        (
            {"state": "recorded", "kind": "order", "id": "o-1", "status": "completed"},
            "order o-1 is now completed",
        ),
        ({"state": "parked"}, "waits for another attempt"),
        ({"state": "dead_letter", "dead_letter": 7}, "dead letter orders:7"),
        ({"state": "unknown"}, "nothing is recorded yet"),
    ],
)
def test_the_outcome_of_a_resent_dead_letter_is_shown(
    run: Run, shop: Shop, outcome: dict[str, object], shown: str
) -> None:
    """If there is one; otherwise there is no such line."""
    assert "  outcome" not in run("dead-letters", "show", "orders:1").out
    shop.letters["orders"][1] |= {"outcome": outcome}

    (line,) = [
        line for line in run("dead-letters", "show", "orders:1").lines if "  outcome" in line
    ]

    assert line.rstrip().endswith(shown)


def test_parked_events_are_listed(run: Run, shop: Shop) -> None:
    """With the last error, and the time of the next attempt."""
    assert "No event waits" in run("dead-letters", "parked").out
    shop.parked["approvals"] = [
        {
            "id": 1,
            "topic": "approvals.requested",
            "event_id": "event-7",
            "error": "RuntimeError: \x1b[31mno",
            "attempts": 3,
            "parked_at": NOW,
            "next_attempt_at": NOW,
        }
    ]

    listed = run("dead-letters", "parked").out

    assert "event-7" in listed
    assert "RuntimeError: ?[31mno" in listed
    assert json.loads(run("dead-letters", "parked", "--json").out)[0]["service"] == "approvals"
