"""The command's output on terminals, pipes and files of all kinds."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import settings as searching
from hypothesis import strategies as st

from orderflow_cli import batch_commands, order_commands, show, show_dead_letters
from orderflow_cli.console import Answers, _print_line
from orderflow_cli.main import main
from orderflow_cli.models import DeadLetter, DeadLetterWithData, Outbox, Page, ParkedEvent
from orderflow_cli.purchase_progress import Purchase, PurchaseProgress
from orderflow_cli.terminal import CANNOT_WRITE, CLOSED_PIPE, clean, clean_lines, safe_streams
from orderflow_cli.workflows.history_view import show_history
from orderflow_cli.workflows.instance_view import show_workflow, show_workflows
from orderflow_cli.workflows.models import Failure, HistoryEvent, Workflow
from orderflow_cli.workflows.replay_commands import escaped
from orderflow_contracts.approvals import Approval, ApprovalStatus
from orderflow_contracts.batches import Batch, BatchedOrder, BatchStatus
from orderflow_contracts.dead_letters import Outcome
from orderflow_contracts.inventory import Stock, StockItem
from orderflow_contracts.orders import (
    HistoryEntry,
    Order,
    OrderLine,
    OrderStatus,
    OrderStatusChanged,
)
from orderflow_contracts.tasks import Task, TaskStatus

ENCODINGS = ("ascii", "latin-1", "cp437", "koi8-r", "shift_jis", "utf-8")
FULL = Path("/dev/full")


class Terminal:
    """A terminal with an encoding, in place of standard output and error."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.out = io.BytesIO()
        self.err = io.BytesIO()
        self.code: object = None

    def run(self, *arguments: str) -> None:
        """Run the command on this terminal."""
        with self.connected(), pytest.raises(SystemExit) as ending:
            main(arguments)
        self.code = ending.value.code

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Replace standard output and error."""
        with pytest.MonkeyPatch.context() as patch:
            streams = [
                io.TextIOWrapper(content, self.encoding, write_through=True, newline="")
                for content in (self.out, self.err)
            ]
            for name, stream in zip(("stdout", "stderr"), streams, strict=True):
                stream.isatty = lambda: True  # type: ignore[method-assign]
                patch.setattr(sys, name, stream)
            yield
            for stream in streams:
                stream.detach()

    @property
    def shown(self) -> str:
        return (self.out.getvalue() + self.err.getvalue()).decode(self.encoding)


@given(text=st.text(st.characters(categories=None)), encoding=st.sampled_from(ENCODINGS))
def test_any_text_can_be_written_to_any_terminal(text: str, encoding: str) -> None:
    """Supported characters are unchanged, and all others are replaced without an error."""
    content = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        stream = io.TextIOWrapper(content, encoding, newline="")
        patch.setattr(sys, "stdout", stream)
        with safe_streams():
            sys.stdout.write(text)
        stream.detach()

    shown = content.getvalue().decode(encoding)
    try:
        assert shown == text.encode(encoding).decode(encoding)
    except UnicodeEncodeError:
        assert len(shown) >= len(text)


@given(st.text(st.characters(categories=None)))
def test_cleaned_text_cannot_control_a_terminal(text: str) -> None:
    """Control characters, escapes and direction marks are removed."""
    for cleaned in (clean(text), *clean_lines(text).split("\n")):
        assert not {unicodedata.category(dead_letter) for dead_letter in cleaned} & {
            "Cc",
            "Cf",
            "Cs",
            "Co",
        }


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_escaped_document_is_equal_and_ascii(text: str) -> None:
    """Escaped JSON is printable ASCII, and parses to the same value."""
    written = escaped(json.dumps({"a": text}, ensure_ascii=False))

    assert json.loads(written) == {"a": text}
    assert written.isascii()
    assert written.isprintable()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("columns", ["1", "20", "80"])
def test_help_is_shown_on_any_terminal(
    monkeypatch: pytest.MonkeyPatch, encoding: str, columns: str
) -> None:
    """The help is drawn with the available characters, however narrow the terminal."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal(encoding)

    terminal.run("workflows", "start", "--help")

    assert terminal.code == 0
    assert "\\u" not in terminal.shown


def test_wrong_usage_is_shown_on_any_terminal() -> None:
    """An argument outside the terminal's encoding is reported as a usage error."""
    terminal = Terminal("ascii")

    terminal.run("no-such-command-\udcff-Ł")

    assert terminal.code == 2
    assert "no-such-command" in terminal.shown


AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SGR = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\r|\x1b\[2?[AK]")
"""The colour and progress bar sequences that the command itself writes."""


def _outputs(text: str) -> dict[str, Callable[[], None]]:
    """Return all functions that print data from a service, with this text in every field."""
    fields: dict[str, Any] = {
        "order_id": text, "customer_id": text, "reason": text, "created_at": AT, "updated_at": AT,
        "total_cents": 5, "sequence": 1, "item": text, "quantity": 1, "at": AT, "task_id": text,
        "title": text, "assignee": text, "instance_id": text, "completed_at": AT, "expires_at": AT,
        "batch_id": text, "total": 1, "approver": text, "requested_at": AT, "levels": 1,
        "number": 1, "detail": text,
        "on_hand": 1, "reserved": 1, "available": 1, "unit_price_cents": 1, "ended_at": AT,
    }  # fmt: skip
    fields["lines"] = (OrderLine.model_construct(**fields),)
    status = OrderStatus.FAILED
    entry = HistoryEntry.model_construct(**fields, status=status)
    order = Order.model_construct(**fields, status=status, history=(entry, entry))
    change = OrderStatusChanged.model_construct(**fields, status=status)
    approval = Approval.model_construct(**fields, status=ApprovalStatus.PENDING)
    batched = BatchedOrder.model_construct(**fields, status=status)
    batch = Batch.model_construct(
        **fields, status=BatchStatus.COMPLETED, orders=(batched,), counts={status: 1}
    )
    task = Task.model_construct(**fields, status=TaskStatus.COMPLETED)
    item = StockItem.model_construct(**fields)
    dead_letter = DeadLetter.model_construct(
        id=1, topic=text, event_id=text, reason=text, received_at=AT, service=text
    )
    letter = DeadLetterWithData.model_construct(
        id=1, topic=text, event_id=text, reason=text, received_at=AT, service=text, data=text,
        order_id=text, source=text, resent_at=AT, resent_as=text, discarded_at=AT,
        discard_reason=text, attempts=1,
        outcome=Outcome.model_construct(state="recorded", kind=text, id=text, status=text),
    )  # fmt: skip
    parked = ParkedEvent.model_construct(
        id=1,
        topic=text,
        event_id=text,
        error=text,
        attempts=1,
        parked_at=AT,
        next_attempt_at=AT,
        service=text,
    )
    workflow = Workflow.model_construct(
        instance_id=text, name=text, runtime_status=text, created_at=AT, last_updated_at=AT,
        input={text: [text]}, output=text, custom_status=text,
        failure=Failure.model_construct(code=text, activity=text, message=text),
    )  # fmt: skip
    page = Page[Workflow].model_construct(items=(workflow,), next=text)
    event = HistoryEvent.model_construct(
        at=AT, type=text, name=text, error=text, input=text, output={text: text}
    )
    purchase = Purchase(text, text, 1, 1, 1)
    return {
        "orders": lambda: show.show_orders([order]),
        "order": lambda: show.show_order(order),
        "change": lambda: order_commands._print_change(change),
        "final_changes": lambda: order_commands._print_outcomes([change], 1, as_json=False),
        "batch": lambda: batch_commands.print_batch(batch, as_json=False, watched=False),
        "approvals": lambda: show.show_approvals([approval]),
        "stock": lambda: show.show_stock(Stock.model_construct(items=(item,))),
        "tasks": lambda: show.show_tasks([task]),
        "task": lambda: show.show_task(task),
        "dead letters": lambda: show_dead_letters.show_dead_letters([dead_letter]),
        "preview": lambda: show_dead_letters.preview_dead_letters([letter]),
        "dead letter": lambda: show_dead_letters.show_dead_letter(letter),
        "outboxes": lambda: show.show_outboxes(
            [Outbox.model_construct(messages=1, oldest_at=AT, age_seconds=1.0, service=text)]
        ),
        "parked events": lambda: show_dead_letters.show_parked_events([parked]),
        "workflows": lambda: show_workflows(page, status=None, name=text, limit=1),
        "workflow": lambda: show_workflow(workflow),
        "history": lambda: show_history([event], full=True),
        "console": lambda: PurchaseProgress(purchase, _print_line, lambda: 1).report(change),
        "answers": lambda: _print_line(Answers([text]).ask(text)),
        "json": lambda: show.as_json({"text": text, text: text}),
        "explanation": lambda: show.note(text),
    }


@pytest.mark.parametrize("name", list(_outputs("")))
@given(
    text=st.text(
        st.one_of(st.characters(), st.sampled_from("\x1b\x9b\x07\r\n\x7fŁ…日\u202e\udcff"))
    ),
    encoding=st.sampled_from(ENCODINGS),
    columns=st.sampled_from([1, 7, 20, 80, 300]),
)
@searching(max_examples=25, deadline=None)
def test_untrusted_text_is_shown_on_every_terminal_without_control(
    name: str, text: str, encoding: str, columns: int
) -> None:
    """Names of customers, items or workflows are printed, and cannot control the terminal."""
    terminal = Terminal(encoding)

    with terminal.connected(), pytest.MonkeyPatch.context() as patch, safe_streams():
        patch.setenv("COLUMNS", str(columns))
        with contextlib.suppress(typer.Exit):
            _outputs(text)[name]()

    shown = SGR.sub("", terminal.shown)
    assert not {unicodedata.category(each) for each in shown if each != "\n"} & {"Cc", "Cf", "Cs"}


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    "arguments",
    [
        ("order", "\udcff"),
        ("publish", "\udcff.json"),
        ("restock", "\udcff", "3"),
        ("restock", "", "3"),
        ("approve", "a", "--comment", "\udcff"),
        ("approve", "a", "--approver", "\udcff"),
        ("tasks", "show", "\udcff"),
        ("dead-letters", "show", "\udcff"),
        ("dead-letters", "resend", "a:\udcff"),
        ("users", "add", "\udcff", "--generate"),
        ("tokens", "remove", "\udcff"),
        ("workflows", "list", "--name", "\udcff"),
        ("workflows", "list", "--after", "\udcff"),
        ("workflows", "start", "x", "--id", "\udcff"),
        ("workflows", "start", "\udcff"),
        ("workflows", "raise", "a", "\udcff"),
        ("workflows", "raise", "a", "b", "--data", "@\udcff"),
        ("workflows", "purge", "--older-than", "\udcff", "--yes"),
        ("workflows", "replay", "\udcff"),
    ],
    ids=" ".join,
)
def test_an_undecodable_argument_is_reported(arguments: Sequence[str]) -> None:
    """An argument in another encoding ends with an error message."""
    terminal = Terminal("latin-1")

    terminal.run(*arguments)

    assert terminal.code == 1
    assert "orderflow: " in terminal.shown


def command(
    *arguments: str, stdout: Any, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    """Run the command in a separate process."""
    return subprocess.run(
        [sys.executable, "-m", "orderflow_cli", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        check=False,
    )


def test_a_closed_pipe_ends_the_command_quietly() -> None:
    """There is no error message, and the exit code is that of SIGPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = command("--help", stdout=writer)
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (CLOSED_PIPE, b"")


def test_a_full_disk_is_reported() -> None:
    """The error is one sentence, and the exit code is not 0."""
    with FULL.open("wb") as full:
        done = command("--help", stdout=full)

    assert done.returncode == CANNOT_WRITE
    assert done.stderr == b"standard output cannot be written: No space left on device\n"


def test_a_limited_terminal_in_a_separate_process() -> None:
    """Python's encoding variables are respected."""
    plain = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"}

    done = command("order", "Łukasz", stdout=subprocess.PIPE, environment=plain)

    assert done.returncode == 1
    assert b"is not a valid order ID" in done.stderr
    assert b"Traceback" not in done.stderr


def descriptors() -> Iterator[Sequence[str]]:
    yield from (["0", "1"], ["1", "2"], ["0", "1", "2"])


@pytest.mark.parametrize("closed", list(descriptors()))
def test_closed_descriptors_are_no_failure(closed: Sequence[str]) -> None:
    """The command works without standard input, output or error."""
    script = " ".join(f"{number}>&-" for number in closed)
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m orderflow_cli users list {script}', sys.executable],
        stderr=subprocess.PIPE,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_broken_pipe_is_handled_once() -> None:
    """Output during clean-up causes no second error after the pipe has closed."""
    reader, writer = os.pipe()
    os.close(reader)
    finished = []
    stream = io.TextIOWrapper(io.BufferedWriter(io.FileIO(writer, "w")), "utf-8")

    @safe_streams()
    def program() -> None:
        try:
            _print_line("first")
        finally:
            _print_line("last")
            finished.append("last")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit) as ending:
            program()
    stream.close()

    assert (ending.value.code, finished) == (CLOSED_PIPE, ["last"])
