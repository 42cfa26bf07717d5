"""Explains why a service could not be reached: one sentence with a remedy per kind of failure."""

import socket
import ssl
import urllib.request
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import httpx

from orderflow_cli.credentials import is_loopback
from orderflow_cli.errors import ServiceUnreachable

REMEDY: Final = "Start it with `make run`, or check it with `make status`"
PROBE_SECONDS: Final = 2.0

EXPIRED: Final = 10
NOT_YET_VALID: Final = 9
OTHER_HOST: Final = frozenset({62, 64})
UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21, 27})
"""OpenSSL's error numbers for certificate verification (x509_vfy.h)."""

NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
)
"""OpenSSL's reasons for an answer that is not TLS."""


def explain(name: str, url: str, error: Exception) -> ServiceUnreachable:
    """Return an error that says why there was no answer, and what to do."""
    return ServiceUnreachable(_sentence(name, url, error))


def _sentence(name: str, url: str, error: Exception) -> str:
    causes = list(_causes(error))
    broken_off = (
        f"{name} at {url} broke off while answering ({str(error) or type(error).__name__}) - "
        f"is it still running? {REMEDY}"
    )
    return (
        _tls_failure(name, url, causes)
        or _proxy_failure(name, url, error)
        or _connection_failure(name, url, error, causes)
        or broken_off
    )


def _tls_failure(name: str, url: str, causes: list[BaseException]) -> str | None:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _bad_certificate(name, url, cause)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            return _bad_handshake(name, url, cause)
    return None


def _proxy_failure(name: str, url: str, error: Exception) -> str | None:
    proxy, remedy = _proxy(url), f"correct {_proxy_variable(url)}, or add the host to NO_PROXY"
    if isinstance(error, httpx.ProxyError):
        what = f"the proxy {proxy or 'in the environment'} refused to connect to {name} at {url}"
        return f"{what} ({error}): {remedy}"
    if proxy and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return f"the proxy {proxy}, used for {name} at {url}, does not answer: {remedy}"
    return None


def _connection_failure(
    name: str, url: str, error: Exception, causes: list[BaseException]
) -> str | None:
    if isinstance(error, httpx.ConnectError):
        return _refused_connection(name, url, causes)
    if isinstance(error, httpx.ConnectTimeout):
        return (
            f"connecting to {name} at {url} timed out - is the address right, and does a firewall "
            "let it through?"
        )
    if isinstance(error, httpx.TimeoutException):
        return f"{name} at {url} did not answer in time - check it with `make status`"
    if url.startswith("http:") and _uses_tls(url):
        return f"{name} at {url} uses TLS: its address must begin with https://"
    return None


def _refused_connection(name: str, url: str, causes: list[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            host = urlsplit(url).hostname
            return (
                f"the host {host} of {name} at {url} cannot be resolved ({cause.strerror}): "
                "correct the address, or this machine's DNS"
            )
        if isinstance(cause, ssl.SSLEOFError | ConnectionResetError):
            return (
                f"{name} at {url} broke off during the TLS handshake - does it use TLS? If not, "
                "its address must begin with http://"
            )
    refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
    reasons = [each.strerror for each in causes if isinstance(each, OSError) and each.strerror]
    why = "" if refused or not reasons else f" ({reasons[-1]})"
    return f"{name} does not answer at {url}{why} - is it running? {REMEDY}"


def _bad_certificate(name: str, url: str, error: ssl.SSLCertVerificationError) -> str:
    code, certificate = error.verify_code, f"the certificate of {name} at {url}"
    if code == EXPIRED:
        return f"{certificate} has expired: renew it, or correct this machine's clock"
    if code == NOT_YET_VALID:
        return f"{certificate} is not valid yet: correct this machine's clock"
    if code in OTHER_HOST:
        return (
            f"{certificate} is for another host ({error.verify_message.rstrip('.')}): use the host "
            "name that it was issued for, or have one issued for this name"
        )
    if code in UNKNOWN_AUTHORITY:
        return (
            f"{certificate} is signed by an untrusted authority ({error.verify_message}): "
            "set SSL_CERT_FILE to the file with that authority's certificate"
        )
    return f"{certificate} is not valid ({error.verify_message}): have a new one issued"


def _bad_handshake(name: str, url: str, error: ssl.SSLError) -> str:
    if error.reason in NO_TLS:
        return f"{name} at {url} does not use TLS: its address must begin with http://"
    reason = (error.reason or str(error)).replace("_", " ").lower()
    return f"the TLS handshake with {name} at {url} failed ({reason}): check its configuration"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment sets for a URL, if any, without its password."""
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    if not named or is_loopback(url) or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    parts = urlsplit(named)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else named


def _proxy_variable(url: str) -> str:
    scheme = urlsplit(url).scheme
    return f"{scheme.upper()}_PROXY" if scheme in urllib.request.getproxies() else "ALL_PROXY"


def _uses_tls(url: str) -> bool:
    """Return whether the server at this address answers a TLS handshake, whatever its identity."""
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
