"""A public host that is accepted at the start works on requests, and nothing else does."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from fakes.access import settings
from orderflow_hosting.access.origins import Origins
from orderflow_hosting.hosts import Host, NotAHost
from orderflow_hosting.problems import Problem

ACCEPTED = [
    # entry, what a browser sends as Host, the origin of its pages
    ("shop.example", "shop.example", "https://shop.example"),
    ("Shop.Example.", "shop.example", "http://shop.example"),
    ("shop.example:8443", "shop.example:8443", "https://shop.example:8443"),
    ("shop.example:8443", "shop.example", "https://shop.example:8443"),
    ("shop.example:443", "shop.example", "https://shop.example"),
    ("shop.example:443", "shop.example:443", "https://shop.example"),
    ("shop.example:80", "shop.example", "http://shop.example"),
    ("shop.example", "shop.example:8443", "https://shop.example:8443"),
    ("shop.example", "SHOP.example.:443", "https://shop.example"),
    ("shop_1", "shop_1:8001", "http://shop_1:8001"),
    ("192.0.2.1:8443", "192.0.2.1:8443", "https://192.0.2.1:8443"),
    ("2001:DB8::1", "[2001:db8::1]", "https://[2001:db8::1]"),
    ("[2001:db8:0::1]", "[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ("[2001:db8::1]:8443", "[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ("straße.example", "xn--strae-oqa.example", "https://xn--strae-oqa.example"),
    ("xn--strae-oqa.example", "xn--strae-oqa.example", "https://xn--strae-oqa.example"),
    ("MÜNCHEN.example:8443", "xn--mnchen-3ya.example:8443", "https://xn--mnchen-3ya.example:8443"),
]
LABELS = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8})?", fullmatch=True)
NAMES = st.one_of(
    st.lists(LABELS, min_size=1, max_size=4).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.sampled_from(["straße.example", "пример.example", "例え.example", "bücher.example"]),
)
PORTS = st.one_of(st.none(), st.integers(min_value=1, max_value=65535))


def passes(entry: str, host: str, origin: str | None = None) -> bool:
    headers = {"host": host} | ({"origin": origin} if origin is not None else {})
    file = Path("access.json")
    origins = Origins(settings(file, http_host="0.0.0.0", ORDERFLOW_PUBLIC_HOSTS=entry))  # noqa: S104 # not served
    try:
        origins.check("POST", "/", Headers(headers), frozenset())
    except Problem:
        return False
    return True


@pytest.mark.parametrize(("entry", "host", "origin"), ACCEPTED)
def test_an_entry_works_as_browsers_send_it(entry: str, host: str, origin: str) -> None:
    """With or without a port, as an address, and as an internationalized name."""
    assert passes(entry, host)
    assert passes(entry, host, origin)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("shop.example:9999", None),
        ("other.example:8443", None),
        ("shop.example.evil.example:8443", None),
        ("shop.example:8443", "https://shop.example:9999"),
        ("shop.example:8443", "https://shop.example"),
        ("shop.example:8443", "https://evil.example:8443"),
        ("shop.example:8443", "null"),
        ("shop.example:8443", "https://shop.example:8443/"),
        ("shop.example:8443", "ftp://shop.example:8443"),
        ("shop.example:8443", ""),
    ],
)
def test_another_host_or_origin_does_not_pass(host: str, origin: str | None) -> None:
    """It has another name or port, or is a page of another site."""
    assert not passes("shop.example:8443", host, origin)


def test_forwarded_headers_do_not_set_the_host() -> None:
    """Any client can send them."""
    origins = Origins(settings(ORDERFLOW_PUBLIC_HOSTS="shop.example"))
    headers = Headers({"host": "evil.example", "x-forwarded-host": "shop.example"})

    with pytest.raises(Problem, match="not known"):
        origins.check("GET", "/", headers, frozenset())


@given(NAMES, PORTS, st.sampled_from(["http", "https"]))
def test_every_accepted_entry_passes_as_host_and_as_origin(
    name: str, port: int | None, scheme: str
) -> None:
    """Settings and requests are parsed by the same rules."""
    entry = name if port is None else f"{name}:{port}"
    sent = str(Host.read(entry))

    assert passes(entry, sent)
    assert passes(entry, sent, f"{scheme}://{sent}")
    assert passes(entry, sent.upper(), f"{scheme}://{sent}")


@given(NAMES, PORTS, NAMES, PORTS)
def test_every_other_host_is_refused(
    name: str, port: int | None, other: str, other_port: int | None
) -> None:
    """Another name never passes, nor another port if the entry has one."""
    entry, sent = Host(Host.read(name).name, port), Host(Host.read(other).name, other_port)
    is_known = sent.name == entry.name and None in {entry.port, sent.port}

    assert passes(str(entry), str(sent)) is (entry == sent or is_known)


@given(st.text(max_size=40))
def test_parsing_a_host_is_idempotent(text: str) -> None:
    """A parsed host, written and parsed again, is the same host."""
    try:
        host = Host.read(text)
    except NotAHost:
        return
    assert Host.read(str(host)) == host
