"""Strict reading of JSON."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.odd_json import VALUES
from json_test_suite import AMBIGUOUS, READ_EITHER_WAY, parsing_texts
from orderflow_hosting.events.json_text import MOST_NESTED, NotJson, member_text, read_json

TEXTS = parsing_texts()


@pytest.mark.parametrize("name", [name for name in TEXTS if name.startswith("y_")])
def test_json_is_read(name: str) -> None:
    """Each valid text is read as Python reads it, except where a key occurs twice."""
    if name in AMBIGUOUS:
        with pytest.raises(NotJson, match="occurs more than once"):
            read_json(TEXTS[name])
    else:
        assert read_json(TEXTS[name]) == json.loads(TEXTS[name])


@pytest.mark.parametrize("name", [name for name in TEXTS if name.startswith("n_")])
def test_what_is_not_json_is_refused(name: str) -> None:
    """Each invalid text is refused with a reason, however deep or broken it is."""
    with pytest.raises(NotJson):
        read_json(TEXTS[name])


@pytest.mark.parametrize("name", [name for name in TEXTS if name.startswith("i_")])
def test_what_a_reader_may_refuse_is_decided_once(name: str) -> None:
    """Only numbers within the range of a double are read; integers stay exact."""
    if name in READ_EITHER_WAY:
        value = read_json(TEXTS[name])
        assert (value[0] if isinstance(value, list) else value) == READ_EITHER_WAY[name]
    else:
        with pytest.raises(NotJson):
            read_json(TEXTS[name])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": [1, {"b": 1e400}]}', "a.1.b: the number is beyond the range of a double"),
        ('{"a": -1e309}', "a: the number is beyond the range of a double"),
        (f'{{"a": {"9" * 400}}}', "a: the number is beyond the range of a double"),
        (f'{{"a": {"9" * 5000}}}', "a: the number is beyond the range of a double"),
        ("[NaN]", "0: NaN is not a number in JSON"),
        ('{"": {"": NaN}}', '""."": NaN is not a number in JSON'),
        ('{"a": {"k": 1, "l": 2, "k": 1}}', "a: the key 'k' occurs more than once"),
        (r'{"a": "\ud800"}', "a: the text contains a lone surrogate"),
        (r'{"\udfff": 1}', "a key contains a lone surrogate"),
        (b'{"a": "\xff"}', "not UTF-8 (byte 7)"),
        (b"\x1f\x8b\x08", "not UTF-8 (byte 1)"),
        ("[" * 51 + "]" * 51, "nested deeper than 50 levels"),
        ("[" * 100_000, "nested deeper than 50 levels"),
        ("", "not JSON: Expecting value (character 0)"),
    ],
)
def test_a_refusal_names_the_place(text: str | bytes, message: str) -> None:
    """Whoever wrote a text learns what is wrong, and where in it."""
    with pytest.raises(NotJson) as refusal:
        read_json(text)

    assert str(refusal.value) == message


@pytest.mark.parametrize(
    "number",
    ["179769313486231570000000000000e279", "1.7976931348623157e308", str(2**1024 - 2**970)],
)
def test_the_largest_double_is_read(number: str) -> None:
    """Numbers are refused only beyond it."""
    assert read_json(number) == json.loads(number)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('{"id": "o-1", "x": 1e400}', {"id": "o-1", "x": None}),
        ('{"id": "o-1", "a": {"k": 1, "k": 2, "l": 3}}', {"id": "o-1", "a": {"l": 3}}),
        ('{"id": "o-1", "id": "o-2"}', {}),
        (r'{"id": "o-1", "\ud800": "\ud800"}', {"id": "o-1"}),
        ("[" * 60 + "]" * 60, "[" * MOST_NESTED + "null" + "]" * MOST_NESTED),
        ("{", None),
    ],
)
def test_the_rest_of_a_refused_text_can_be_used(text: str, rest: object) -> None:
    """What is ambiguous is left out, and the rest may say what the text is about."""
    with pytest.raises(NotJson) as refusal:
        read_json(text)

    assert refusal.value.rest == (json.loads(rest) if isinstance(rest, str) else rest)


@given(VALUES)
def test_whatever_is_written_strictly_is_read_back(value: object) -> None:
    """Reading is the inverse of writing, or refuses what other readers would not understand."""
    text = json.dumps(value)
    try:
        read = read_json(text)
    except NotJson:
        return
    assert json.dumps(read) == text
    json.dumps(read, allow_nan=False, ensure_ascii=False).encode()


@given(st.binary() | st.text())
def test_reading_raises_nothing_else(text: bytes | str) -> None:
    """No input makes the reader fail in another way."""
    with suppress(NotJson):
        read_json(text)


@pytest.mark.parametrize(
    ("text", "member"),
    [
        (b'{"data":{"a":1.10}}', b'{"a":1.10}'),
        (b' { "x" : [ "data" , 1e400 ] , "data" : [ 1 ] } ', b"[ 1 ]"),
        (
            rb'{"data":"\u003cb\u003e \\u003c \\\u0026 \u2028"}',
            '"<b> \\\\u003c \\\\& \u2028"'.encode(),
        ),
        (b'{"x":1}', b""),
        (b"{}", b""),
    ],
)
def test_a_member_is_found_as_it_is_written(text: bytes, member: bytes) -> None:
    """Its spelling stays, but for the characters that sidecars escape."""
    assert member_text(text, "data") == member
