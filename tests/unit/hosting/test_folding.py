"""Text folded for comparison in searches."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow_hosting.folding import contains, fold

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def variants(text: str) -> set[str]:
    """Return the text in other spellings that mean the same."""
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    return {case(form) for form in forms for case in (str, str.upper, str.lower, str.casefold)}


@given(texts)
def test_equivalent_texts_fold_alike(text: str) -> None:
    """Case and composition of accents do not matter, and folding is idempotent."""
    folded = fold(text)

    assert {fold(variant) for variant in variants(text)} == {folded}
    assert fold(folded) == folded


def test_every_character_folds_like_its_variants() -> None:
    """This includes letters with several capitals or none."""
    for code in range(0x20000):  # beyond are ideographs, which have neither marks nor capitals
        text = chr(code)
        folded = fold(text)
        assert fold(folded) == folded, hex(code)
        if not text.isascii():
            assert {fold(text.upper()), fold(text.lower())} == {folded}, hex(code)


@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        ("José", "Jose\u0301"),
        ("Jose\u0301", "JOSÉ"),
        ("José", "jose"),
        ("İSTANBUL", "istanbul"),
        ("İSTANBUL", "\u0131stanbul"),
        ("Straße", "STRASSE"),
        ("oﬃce", "office"),
        ("ΟΔΥΣΣΕΎΣ", "οδυσσευς"),
        ("300 \u212a", "300 k"),
        ("\uff37\uff49\uff44\uff45", "wide"),
        ("\ud55c\uae00", unicodedata.normalize("NFD", "\ud55c\uae00")),
        ("so\u00adft", "soft"),
        ("Ångström", "angstrom"),
    ],
)
def test_names_are_found_as_people_type_them(stored: str, typed: str) -> None:
    """Accents, case, ligatures and invisible characters make no difference."""
    assert fold(stored) == fold(typed)
    assert contains(f"before {stored} after", typed)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("%", "x"), ("_", "x"), ("ö", "u")])
def test_different_texts_stay_different(one: str, other: str) -> None:
    """Letters are not mixed up, and no typed character is a wildcard."""
    assert not contains(one, other)
    assert not contains(other, one)


def test_an_accent_alone_does_not_fold_to_nothing() -> None:
    """Searching for an accent alone does not find everything."""
    assert fold("\u0301") != ""
