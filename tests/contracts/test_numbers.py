"""Numbers that people type are parsed unambiguously, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from orderflow_contracts.fields import Moment
from orderflow_contracts.numbers import TypedDecimal, TypedNumber, read_whole_number

AMBIGUOUS = [
    "",
    "1,5",
    "2,50",
    "1.5",
    "1,000",
    "1.000",
    "1 000",
    "1\u00a0000",
    "1'000",
    "1_000",
    "1e3",
    "+5",
    "-5",
    "\u22125",
    "0x10",
    "5.0",
    "٣",
    "\uff11\uff12",
    "²",
    "9" * 5000,
    "5 pieces",
]
ALPHABET = "0123456789,._' +-\u2212\u00a0\u2009eExX٣\uff11²"

number: TypeAdapter[int] = TypeAdapter(TypedNumber)
decimal: TypeAdapter[float] = TypeAdapter(TypedDecimal)
moment: TypeAdapter[object] = TypeAdapter(Moment)


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_an_ambiguous_number_is_refused(text: str) -> None:
    """Separators, signs, exponents and non-ASCII digits are refused."""
    assert read_whole_number(text) is None
    with pytest.raises(ValidationError, match="plain digits"):
        number.validate_python(text)


@given(st.one_of(st.text(alphabet=ALPHABET), st.text(), st.integers(min_value=0).map(str)))
def test_a_text_is_refused_or_is_its_plain_digits(text: str) -> None:
    """No text is parsed as another number than its digits say."""
    plain = text.strip()
    meant = plain != "" and all(character in "0123456789" for character in plain)

    read = read_whole_number(text)

    assert read is None or (
        meant and read == sum(10**n * int(d) for n, d in enumerate(plain[::-1]))
    )
    assert read is not None or not meant or len(plain) > 40


@given(st.integers(min_value=0, max_value=10**18))
def test_plain_digits_are_parsed(value: int) -> None:
    """Spaces around them are ignored."""
    assert read_whole_number(f" {value} ") == value
    assert number.validate_python(str(value)) == value


@pytest.mark.parametrize("text", ["1_0", "1e1", "1,5", "+5", "nan", "inf", "5.", ".5", "٣"])
def test_a_malformed_decimal_is_refused(text: str) -> None:
    """A decimal has a point with digits on both sides."""
    with pytest.raises(ValidationError, match="plain digits"):
        decimal.validate_python(text)
    assert decimal.validate_python(" 0.5 ") == 0.5


@pytest.mark.parametrize("value", [1_700_000_000, 1.5, True, "1700000000", "1700000000000", None])
def test_a_plain_number_is_not_a_time(value: object) -> None:
    """It could be seconds or milliseconds."""
    with pytest.raises(ValidationError, match="must be a time such as"):
        moment.validate_python(value)
