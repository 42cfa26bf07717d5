"""What a program writes, fitted to the terminal, pipe or file that is there."""

import codecs
import errno
import io
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO, cast

CLOSED_PIPE: Final = 128 + signal.SIGPIPE
"""The exit code when nobody reads the output any more, as of a program that SIGPIPE ends."""
CANNOT_WRITE: Final = 1

_STAND_INS: Final = str.maketrans({"…": "...", "→": "->", "←": "<-", "✓": "ok", "✗": "x", "·": "-"})
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


def _readable(error: UnicodeError) -> tuple[str, int]:
    """Replace what an encoding does not have: by its like in ASCII, or by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_STAND_INS)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error("orderflow.readable", _readable)


def clean(text: str) -> str:
    """Leave out what would make a terminal do things: this text came from anyone."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def clean_lines(text: str) -> str:
    """Clean each line of a text, such as a part of a log, which may have colours."""
    plain = _COLOURS.sub("", text).replace("\r\n", "\n")
    return "\n".join(clean(line.expandtabs()) for line in plain.split("\n"))


class _Output(io.FileIO):
    """Standard output that ends the program once it cannot be written to.

    What is written after that goes nowhere, so that what is under way can end in good order. A
    closed pipe is no error to report, for whoever has closed it knows; a full disk is one.
    """

    _is_lost = False

    def write(self, data: Any, /) -> int:
        if self._is_lost:
            return len(memoryview(data))
        try:
            return super().write(data)
        except OSError as error:
            self._is_lost = True
            if error.errno == errno.EPIPE:
                raise SystemExit(CLOSED_PIPE) from None
            sys.stderr.write(f"standard output cannot be written: {error.strerror}\n")
            raise SystemExit(CANNOT_WRITE) from None


class _Incidental(io.FileIO):
    """Output that is left out where it cannot be written, and tried again with the next."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(memoryview(data))


@contextmanager
def fitted(*, output_is_incidental: bool = False) -> Iterator[None]:
    """Fit standard input, output and error to what they are connected to, in a program's main.

    No character fails, and no data that cannot be written leaves a trace of Python's. A program
    ends once its output cannot be written, unless that is incidental to what it does: a run goes
    on where its terminal is closed, and a stop stops.
    """
    former = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = _input(former[0])
    sys.stderr = _fitted(former[2], _Incidental)
    sys.stdout = _fitted(former[1], _Incidental if output_is_incidental else _Output)
    try:
        yield
    finally:
        try:
            _flush(sys.stdout)
        finally:
            _flush(sys.stderr)
            sys.stdin, sys.stdout, sys.stderr = former


def _input(stream: TextIO | None) -> TextIO:
    """Let no byte of what is typed fail; None is what Python makes of a closed descriptor."""
    if stream is None:
        return open(os.devnull, encoding="utf-8")  # noqa: PTH123 # for the whole program
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream


def _fitted(stream: TextIO | None, kind: type[_Output | _Incidental]) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 # likewise
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if not isinstance(raw, io.FileIO):
        stream.reconfigure(errors="orderflow.readable")
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(cast(io.RawIOBase, kind(raw.fileno(), "w", closefd=False))),
        encoding=stream.encoding,
        errors="orderflow.readable",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _flush(stream: TextIO) -> None:
    if not stream.closed:
        stream.flush()
