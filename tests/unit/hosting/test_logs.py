"""What a service writes to its console, and in which format."""

import io
import json
import logging
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import settings as searching
from hypothesis import strategies as st

from fakes.access import settings
from orderflow_hosting import logs

TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b\x07\r\n\x7fŁ…\u202e\udcff")))


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Restore the logging configuration of the other tests."""
    root = logging.getLogger()
    handlers, level, complains = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = complains
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def fail(text: str) -> None:
    raise ValueError(text)


def written(text: str, form: Literal["json", "console"], encoding: str) -> str:
    """Log a text in every part of an entry, with an exception; return the terminal's output."""
    content = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        stream = io.TextIOWrapper(content, encoding, newline="")
        patch.setattr(sys, "stdout", stream)
        logs.configure("orders", settings(LOG_FORMAT=form))
        log = structlog.stdlib.get_logger("orders")
        try:
            fail(text)
        except ValueError:
            log.exception(text, customer=text, items=[text])
        logging.getLogger("some.library").warning("%s", text)
        stream.detach()
    return content.getvalue().decode(encoding)


@given(text=TEXT, encoding=st.sampled_from(["ascii", "latin-1", "utf-8"]))
@searching(max_examples=50, deadline=None)
def test_logged_text_cannot_control_the_terminal(text: str, encoding: str) -> None:
    """Every character can be logged, and none is a control sequence."""
    shown = written(text, "console", encoding)

    assert not {unicodedata.category(each) for each in shown if each != "\n"} & {"Cc", "Cf", "Cs"}
    assert "Logging error" not in shown


@given(text=TEXT)
@searching(max_examples=50, deadline=None)
def test_json_logs_keep_the_text_unchanged(text: str) -> None:
    """Each entry is one line of ASCII."""
    first, _ = written(text, "json", "ascii").splitlines()

    assert json.loads(first)["customer"] == text


def test_a_closed_console_is_not_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A service goes on when the reader of its log has gone."""

    class Gone(io.StringIO):
        def write(self, _: str, /) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", Gone())
        logs.configure("orders", settings())
        logging.getLogger("some.library").warning("something")

    assert capsys.readouterr().err == ""


LIBRARIES = Path(__file__).parents[3] / "libraries"
THAT_LOG = {
    module.relative_to(LIBRARIES).parts[2]
    for module in LIBRARIES.glob("*/src/*/**/*.py")
    if "structlog.get_logger" in module.read_text(encoding="utf-8")
}


@pytest.mark.parametrize("library", sorted(THAT_LOG))
def test_our_libraries_log_at_info_level(library: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of other libraries only warnings are logged."""
    logs.configure("orders", settings(LOG_FORMAT="json"))

    structlog.stdlib.get_logger(f"{library}.module").info("something_happened")
    logging.getLogger("some.library").info("nothing of interest")

    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()] == [
        "something_happened"
    ]


def test_the_search_finds_loggers() -> None:
    """The previous test checks a list that is not empty."""
    assert len(THAT_LOG) >= 2
