"""Reads JSON strictly: what two readers could understand differently is refused.

Python's own reader keeps the last of two equal keys, reads `1e400` as infinity, accepts `NaN`, and
guesses the encoding. RFC 8259 leaves most of this to the reader; RFC 7493 (I-JSON) does not.
"""

import json
import math
import re
from collections import Counter
from typing import Any, Final

MOST_NESTED: Final = 50
"""How many objects and arrays may lie inside each other."""
_LONGEST_INTEGER: Final = 310
"""The digits of the largest double, and a sign."""
_LARGEST_DOUBLE: Final = 2**1024 - 2**970

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_HTML_ESCAPES: Final = {rf"\u{ord(sign):04x}": sign for sign in "<>&\u2028\u2029"}
_HTML_ESCAPE: Final = re.compile(r"\\(\\|u(?:003[ce]|0026|202[89]))")


class NotJson(ValueError):
    """A text that is not JSON, or is ambiguous: the reason, and where in the value, if known.

    `rest` is the value without its flaws, as far as it could be read, for finding out what the text
    is about. `line` and `column` are where in the text it stops being JSON, both from 1; 0 if it is
    JSON, but ambiguous.
    """

    def __init__(
        self, reason: str, place: str = "", rest: Any = None, *, line: int = 0, column: int = 0
    ) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.reason = reason
        self.place = place
        self.rest = rest
        self.line = line
        self.column = column


class _Flaw:
    """Takes the place of a value that must be refused."""

    def __init__(self, reason: str, rest: Any = None) -> None:
        self.reason = reason
        self.rest = rest


def read_json(text: str | bytes, *, most_nested: int = MOST_NESTED) -> Any:  # JSON may be anything
    """Read a JSON text in UTF-8; integers stay exact.

    Raises `NotJson` for what is not JSON, and for keys that occur twice in an object, numbers
    beyond a double, lone surrogates, and values nested deeper than `most_nested`.
    """
    reader = _Reader()
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        value = reader.decode(decoded)
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} (character {error.pos})"
        raise NotJson(reason, line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise NotJson(_too_deep(most_nested)) from None
    if reader.found_flaw or _may_hide_flaws(decoded, most_nested):
        root = [value]
        for place, reason in _remove_flaws(root, most_nested)[:1]:
            raise NotJson(reason, place, root[0])
    return value


class _Reader(json.JSONDecoder):
    """The standard reader, which marks flaws so that their places can be named afterwards."""

    def __init__(self) -> None:
        self.found_flaw = False
        super().__init__(
            object_pairs_hook=self._read_object,
            parse_int=self._read_integer,
            parse_float=self._read_float,
            parse_constant=lambda name: self._mark(f"{name} is not a number in JSON"),
        )

    def _read_object(self, pairs: list[tuple[str, Any]]) -> Any:
        read = dict(pairs)
        if len(read) == len(pairs):
            return read
        counts = Counter(key for key, _ in pairs)
        ambiguous = [key for key, count in counts.items() if count > 1]
        rest = {key: value for key, value in read.items() if key not in ambiguous}
        return self._mark(f"the key {ambiguous[0]!r} occurs more than once", rest)

    def _read_integer(self, digits: str) -> Any:
        if len(digits) <= _LONGEST_INTEGER and abs(number := int(digits)) <= _LARGEST_DOUBLE:
            return number
        return self._mark("the number is beyond the range of a double")

    def _read_float(self, digits: str) -> Any:
        if math.isfinite(number := float(digits)):
            return number
        return self._mark("the number is beyond the range of a double")

    def _mark(self, reason: str, rest: Any = None) -> _Flaw:
        self.found_flaw = True
        return _Flaw(reason, rest)


def _may_hide_flaws(text: str, most_nested: int) -> bool:
    """Return whether the text could hold a lone surrogate, or too many levels."""
    return (
        "\\u" in text
        or text.count("[") + text.count("{") > most_nested
        or not (text.isascii() or is_unicode(text))
    )


def _remove_flaws(root: list[Any], most_nested: int) -> list[tuple[str, str]]:
    """Replace each flaw in the one value of `root`; return places and reasons, first to last."""
    flaws: list[tuple[str, str]] = []
    waiting: list[tuple[str, int, Any, Any]] = [("", 0, root, 0)]
    while waiting:  # without recursion, because the value may be nested deeply
        place, depth, parent, key = waiting.pop()
        node = parent[key]
        if isinstance(node, _Flaw):
            flaws.append((place, node.reason))
            node = parent[key] = node.rest
        if isinstance(node, str) and not is_unicode(node):
            flaws.append((place, "the text contains a lone surrogate"))
            parent[key] = None
        if isinstance(node, dict) and not all(map(is_unicode, node)):
            flaws.append((place, "a key contains a lone surrogate"))
            node = parent[key] = {name: node[name] for name in node if is_unicode(name)}
        if not isinstance(node, dict | list):
            continue
        if depth == most_nested:
            flaws.append(("", _too_deep(most_nested)))
            parent[key] = None
            continue
        names = list(node) if isinstance(node, dict) else range(len(node))
        base = f"{place}." if place else ""
        waiting += [(f"{base}{_shown(name)}", depth + 1, node, name) for name in reversed(names)]
    return flaws


def _shown(name: str | int) -> str:
    return '""' if name == "" else str(name)


def member_text(text: bytes, name: str) -> bytes:
    """Return a member of an object as it is written there, or nothing if it has no such member.

    Sidecars escape characters that mean something in HTML; these are restored.
    """
    decoded = text.decode()
    reader = _Reader()
    position = _skip(decoded, 0) + 1
    while decoded[position : position + 1] not in ("}", ""):
        key, position = reader.raw_decode(decoded, _skip(decoded, position))
        start = _skip(decoded, _skip(decoded, position) + 1)
        _, position = reader.raw_decode(decoded, start)
        if key == name:
            return _without_html_escapes(decoded[start:position]).encode()
        position = _skip(decoded, _skip(decoded, position) + 1)
    return b""


def _skip(text: str, position: int) -> int:
    """Return where the white space that begins here ends."""
    end = _SPACE.match(text, position)
    return end.end() if end else position


def _without_html_escapes(text: str) -> str:
    if r"\\" in text:  # then not everything that looks like an escape is one
        return _HTML_ESCAPE.sub(lambda found: _HTML_ESCAPES.get(found[0], found[0]), text)
    for escape, sign in _HTML_ESCAPES.items():
        text = text.replace(escape, sign)
    return text


def _too_deep(most_nested: int) -> str:
    return f"nested deeper than {most_nested} levels"


def is_unicode(text: str) -> bool:
    """Return whether the text can be written in UTF-8, so has no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
