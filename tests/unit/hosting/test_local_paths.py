"""Redirect targets: a path of this site, and nothing else."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow_hosting.local_paths import local_path
from orderflow_hosting.refused_forms import RefusedForm

HERE = "https://shop.example"


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "https://evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/sign-in?next=/sign-in",
        "/sign-out",
        "",
        None,
    ],
)
def test_a_target_on_another_site_becomes_the_first_page(wanted: str | None) -> None:
    """This includes characters that browsers drop or convert."""
    assert local_path(wanted) == "/"


@pytest.mark.parametrize(
    "wanted", ["/%2f%2fevil.example", "/%5cevil.example", "/a?b=//c", "/a%20b"]
)
def test_an_encoded_path_stays_a_path_of_this_site(wanted: str) -> None:
    """Browsers do not decode a path to find the host."""
    assert local_path(wanted) == wanted
    assert urlsplit(urljoin(HERE, wanted)).netloc == "shop.example"


@given(st.text(alphabet="/\\.:?#@%2fe \t\r\nx", max_size=12))
def test_no_text_leads_to_another_host(text: str) -> None:
    """Whatever is let through stays on this host."""
    led = urljoin(HERE, local_path(text))
    assert urlsplit(led).netloc == "shop.example"


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_a_form_is_carried_as_it_was_typed(fields: list[tuple[str, str]]) -> None:
    """Every character is kept; passwords and tokens are never carried."""
    form = RefusedForm("/board/new-order", fields)
    carried = [field for field in fields if field[0] not in {"csrf", "password", "next", "refused"}]

    again = RefusedForm.load(form.dump())

    assert again == RefusedForm("/board/new-order", carried)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "[1, [], false]",
        '["//evil", [], false]',
        '["/a", [["x"]], false]',
        "[" * 9999,
    ],
)
def test_invalid_form_data_is_not_carried(text: str) -> None:
    """Anyone can send anything to the sign-in page."""
    assert RefusedForm.load(text) is None
