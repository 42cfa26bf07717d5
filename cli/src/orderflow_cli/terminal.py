"""Standard streams that cope with any terminal, pipe, file or encoding."""

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
"""Exit code after a broken output pipe, the same as for a program ended by SIGPIPE."""
CANNOT_WRITE: Final = 1

_ASCII_SUBSTITUTES: Final = str.maketrans(
    {"…": "...", "→": "->", "←": "<-", "✓": "ok", "✗": "x", "·": "-"}
)
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


def _readable(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that the encoding lacks with an ASCII equivalent or an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_ASCII_SUBSTITUTES)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error("orderflow.readable", _readable)


def clean(text: str) -> str:
    """Replace control characters, which could manipulate the terminal: the text is untrusted."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def clean_lines(text: str) -> str:
    """Clean each line of a text, and remove ANSI colours, as found in logs."""
    plain = _COLOURS.sub("", text).replace("\r\n", "\n")
    return "\n".join(clean(line.expandtabs()) for line in plain.split("\n"))


class _Output(io.FileIO):
    """Standard output that ends the program when a write fails.

    Later writes are discarded, so that clean-up can finish. A closed pipe is not reported, because
    the reader closed it on purpose; a full disk is.
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


class _OptionalOutput(io.FileIO):
    """Output that is dropped when a write fails; the next write is tried again."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(memoryview(data))


@contextmanager
def safe_streams(*, output_is_optional: bool = False) -> Iterator[None]:
    """Make standard input, output and error safe for the length of a program's main function.

    No character raises an encoding error, and a failed write causes no traceback. The program ends
    when its output cannot be written, unless the output is optional: `run` continues after its
    terminal is closed, and `stop` still stops everything.
    """
    former = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = _safe_input(former[0])
    sys.stderr = _safe_output(former[2], _OptionalOutput)
    sys.stdout = _safe_output(former[1], _OptionalOutput if output_is_optional else _Output)
    try:
        yield
    finally:
        try:
            _flush(sys.stdout)
        finally:
            _flush(sys.stderr)
            sys.stdin, sys.stdout, sys.stderr = former


def _safe_input(stream: TextIO | None) -> TextIO:
    """Tolerate undecodable input; the stream is None if its descriptor is closed."""
    if stream is None:
        return open(os.devnull, encoding="utf-8")  # noqa: PTH123 # stays open until the program ends
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream


def _safe_output(stream: TextIO | None, kind: type[_Output | _OptionalOutput]) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 # as above
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
