"""Why a service could not be asked: each kind of failure as one sentence with a remedy."""

import socket
import ssl
import urllib.request
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import httpx

from orderflow_cli.credentials import is_loopback
from orderflow_cli.errors import ServiceUnreachable

REMEDY: Final = "`make run` starts it, `make status` tells"
PROBE_SECONDS: Final = 2.0

EXPIRED: Final = 10
NOT_YET_VALID: Final = 9
OTHER_HOST: Final = frozenset({62, 64})
UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21, 27})
"""Numbers by which OpenSSL says what is wrong with a certificate (x509_vfy.h)."""

NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
)
"""What OpenSSL says about an answer that is not TLS."""


def explain(name: str, url: str, error: Exception) -> ServiceUnreachable:
    """Say why there was no answer, and what to do."""
    return ServiceUnreachable(_sentence(name, url, error))


def _sentence(name: str, url: str, error: Exception) -> str:
    causes = list(_causes(error))
    broken_off = (
        f"{name} at {url} broke off its answer ({str(error) or type(error).__name__}) - "
        f"is it still running? {REMEDY}"
    )
    return (
        _of_tls(name, url, causes)
        or _of_proxy(name, url, error)
        or _of_connection(name, url, error, causes)
        or broken_off
    )


def _of_tls(name: str, url: str, causes: list[BaseException]) -> str | None:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _bad_certificate(name, url, cause)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            return _bad_handshake(name, url, cause)
    return None


def _of_proxy(name: str, url: str, error: Exception) -> str | None:
    proxy, remedy = _proxy(url), f"correct {_proxy_variable(url)}, or name the host in NO_PROXY"
    if isinstance(error, httpx.ProxyError):
        told = f"the proxy {proxy or 'of the environment'} refused to ask {name} at {url}"
        return f"{told} ({error}): {remedy}"
    if proxy and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return f"the proxy {proxy}, by which {name} at {url} is asked, does not answer: {remedy}"
    return None


def _of_connection(
    name: str, url: str, error: Exception, causes: list[BaseException]
) -> str | None:
    if isinstance(error, httpx.ConnectError):
        return _unconnected(name, url, causes)
    if isinstance(error, httpx.ConnectTimeout):
        return (
            f"nothing answers at {url}, where {name} should be, not even with a refusal - is the "
            "address right, and does a firewall let it through?"
        )
    if isinstance(error, httpx.TimeoutException):
        return f"{name} at {url} did not answer in time - is it well? `make status` tells"
    if url.startswith("http:") and _speaks_tls(url):
        return f"{name} at {url} speaks TLS: its address begins with https://"
    return None


def _unconnected(name: str, url: str, causes: list[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            host = urlsplit(url).hostname
            return (
                f"the name {host} of {name} at {url} is not known ({cause.strerror}): correct the "
                "address, or this machine's DNS"
            )
        if isinstance(cause, ssl.SSLEOFError | ConnectionResetError):
            return (
                f"{name} at {url} broke off before a TLS connection was made - does it speak TLS? "
                "If not, its address begins with http://"
            )
    refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
    reasons = [each.strerror for each in causes if isinstance(each, OSError) and each.strerror]
    why = "" if refused or not reasons else f" ({reasons[-1]})"
    return f"{name} does not answer at {url}{why} - is it running? {REMEDY}"


def _bad_certificate(name: str, url: str, error: ssl.SSLCertVerificationError) -> str:
    code, whose = error.verify_code, f"the certificate of {name} at {url}"
    if code == EXPIRED:
        return f"{whose} has expired: renew it, or correct this machine's clock"
    if code == NOT_YET_VALID:
        return f"{whose} is not valid yet: correct this machine's clock"
    if code in OTHER_HOST:
        return (
            f"{whose} is for another host ({error.verify_message.rstrip('.')}): use the name that "
            "it was made for, or have one made for this name"
        )
    if code in UNKNOWN_AUTHORITY:
        return (
            f"{whose} is signed by an authority that is not trusted here ({error.verify_message}): "
            "name the file with that authority's certificate in SSL_CERT_FILE"
        )
    return f"{whose} is not valid ({error.verify_message}): have another one made"


def _bad_handshake(name: str, url: str, error: ssl.SSLError) -> str:
    if error.reason in NO_TLS:
        return f"{name} at {url} does not speak TLS: its address begins with http://"
    reason = (error.reason or str(error)).replace("_", " ").lower()
    return f"no TLS connection to {name} at {url} could be made ({reason}): see its configuration"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _proxy(url: str) -> str | None:
    """Return the proxy through which the environment has a URL asked, if there is one."""
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    if not named or is_loopback(url) or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    shown = urlsplit(named)
    return f"{shown.scheme}://{shown.netloc.rpartition('@')[2]}" if shown.netloc else named


def _proxy_variable(url: str) -> str:
    scheme = urlsplit(url).scheme
    return f"{scheme.upper()}_PROXY" if scheme in urllib.request.getproxies() else "ALL_PROXY"


def _speaks_tls(url: str) -> bool:
    """Tell whether what listens there answers a TLS handshake; whoever it is."""
    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = (parts.hostname or "", parts.port or 80)
    try:
        with (
            socket.create_connection(address, PROBE_SECONDS) as connection,
            context.wrap_socket(connection),
        ):
            return True
    except (OSError, ValueError):
        return False
