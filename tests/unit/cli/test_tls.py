"""TLS: which authorities the command trusts, and the message for each failure."""

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import trustme

from orderflow_cli.client import Orderflow
from orderflow_cli.connection_errors import explain
from orderflow_cli.errors import OrderflowError, ServiceUnreachable
from orderflow_cli.settings import Settings
from orderflow_cli.trust import tls_context

CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class StockHandler(BaseHTTPRequestHandler):
    """Answers every request with an empty stock, or with a feed that has ended."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        if self.path == "/stock":
            self.wfile.write(b'{"items": []}')

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Ignore clients that do not trust the certificate."""


@contextmanager
def serving(certificate: trustme.LeafCert | None = None) -> Iterator[int]:
    """Serve on a free port, with TLS if there is a certificate."""
    server = Server(("127.0.0.1", 0), StockHandler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables for authorities and proxies that the test machine has."""
    for variable in (*CA_VARIABLES, "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)


def at(url: str) -> Settings:
    return Settings(url, url, url, url)


def without_cause(failure: ServiceUnreachable, service: str = "orders") -> str:
    """Remove the system's name for the cause, which differs between ways to break off."""
    return re.sub(r"\(.*?\)", "()", str(failure).replace(service, "orders"))


def failure(url: str) -> str:
    """Call a service at a URL; return the error message, which must be the same for the feed."""
    with pytest.raises(ServiceUnreachable) as of_request, Orderflow(at(url)) as flow:
        flow.stock()
    with pytest.raises(ServiceUnreachable) as of_feed, Orderflow(at(url)) as flow, flow.statuses():
        pass
    assert without_cause(of_feed.value) == without_cause(of_request.value, "inventory")
    assert "\n" not in str(of_request.value)
    return str(of_request.value)


def as_file(path: Path, authority: trustme.CA) -> Path:
    path.write_bytes(authority.cert_pem.bytes())
    return path


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_an_authority_that_the_environment_names_is_trusted(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    authority: trustme.CA,
    certificate: trustme.LeafCert,
    variable: str,
) -> None:
    """The usual variables can name a company's authority, as a file or a folder."""
    path = as_file(tmp_path / "company.pem", authority)
    (tmp_path / "README").write_text("not a certificate")
    monkeypatch.setenv(variable, str(tmp_path if variable == "SSL_CERT_DIR" else path))

    with serving(certificate) as port, Orderflow(at(f"https://localhost:{port}")) as flow:
        assert flow.stock().items == ()


def test_an_unknown_authority_is_reported(certificate: trustme.LeafCert) -> None:
    """The message names the variable that would make the authority trusted."""
    with serving(certificate) as port:
        message = failure(f"https://127.0.0.1:{port}")

    assert "is signed by an untrusted authority" in message
    assert "SSL_CERT_FILE" in message


def test_a_certificate_for_another_host_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA
) -> None:
    """A certificate for another name is not accepted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(as_file(tmp_path / "ca.pem", authority)))
    other = authority.issue_cert("shop.example", key_type=trustme.KeyType.ECDSA)

    with serving(other) as port:
        for host in ("127.0.0.1", "localhost"):
            assert "is for another host" in failure(f"https://{host}:{port}")


@pytest.mark.parametrize(("days", "message"), [(-1, "has expired"), (1, "is not valid yet")])
def test_an_expired_or_future_certificate_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA, days: int, message: str
) -> None:
    """The message mentions the validity period."""
    monkeypatch.setenv("SSL_CERT_FILE", str(as_file(tmp_path / "ca.pem", authority)))
    day = datetime.now(UTC) + timedelta(days=days)
    begin, end = (day - timedelta(days=9), day) if days < 0 else (day, day + timedelta(days=9))
    certificate = authority.issue_cert(
        "127.0.0.1", not_before=begin, not_after=end, key_type=trustme.KeyType.ECDSA
    )

    with serving(certificate) as port:
        assert message in failure(f"https://127.0.0.1:{port}")


def test_tls_to_a_plain_port_is_reported() -> None:
    """An https:// address for a service without TLS is reported."""
    with serving() as port:
        assert "does not use TLS: its address must begin with http://" in failure(
            f"https://127.0.0.1:{port}"
        )


def test_plain_http_to_a_tls_port_is_reported(certificate: trustme.LeafCert) -> None:
    """An http:// address for a service with TLS is reported."""
    with serving(certificate) as port:
        assert "uses TLS: its address must begin with https://" in failure(
            f"http://127.0.0.1:{port}"
        )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_is_reported(scheme: str) -> None:
    """The message asks whether the service is running."""
    message = failure(f"{scheme}://127.0.0.1:1")

    assert f"does not answer at {scheme}://127.0.0.1:1 - is it running?" in message


def test_an_unresolvable_host_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message blames the host name, not the service."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    assert "the host shop.invalid of inventory" in failure("http://shop.invalid:8001")


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """Accept connections and pass each to a function."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    answer(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_connection_that_breaks_off_is_reported() -> None:
    """The message distinguishes a closed connection from an unreachable or slow server."""
    # Read the request first: the kernel resets a connection that is closed with unread data.
    with listening(lambda connection: connection.recv(65_536)) as port:
        assert "broke off" in failure(f"http://127.0.0.1:{port}")
        assert "broke off during the TLS handshake" in failure(f"https://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            httpx.ConnectTimeout("timed out"),
            "connecting to orders at https://shop.example timed out",
        ),
        (httpx.ReadTimeout("timed out"), "did not answer in time"),
        (httpx.ProxyError("403 Forbidden"), "(403 Forbidden): correct"),
    ],
)
def test_timeouts_and_proxy_errors_are_reported(error: Exception, message: str) -> None:
    """Each kind of failure has its own message."""
    assert message in str(explain("orders", "https://shop.example", error))


def test_a_proxy_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message blames the proxy, not the service, and hides the proxy's password."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@127.0.0.1:1")

    message = str(explain("orders", "https://shop.example", httpx.ConnectError("refused")))
    own = str(explain("orders", "https://127.0.0.1:8001", httpx.ConnectError("refused")))

    assert "the proxy http://127.0.0.1:1, used for orders at https://shop.example" in message
    assert "HTTPS_PROXY" in message
    assert "proxy" not in own


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("kind", ["missing", "empty", "text"])
def test_an_unusable_ca_file_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, kind: str
) -> None:
    """The error names the variable and the path if the file is missing, empty or invalid."""
    path = tmp_path / "ca"
    if variable == "SSL_CERT_DIR":
        if kind != "missing":
            path.mkdir()
        if kind == "text":
            (path / "some.pem").write_text("hello")
    elif kind != "missing":
        path.write_text("hello" * (kind == "text"))
    monkeypatch.setenv(variable, str(path))

    with pytest.raises(OrderflowError, match=f"{variable} names {path}, which ") as error:
        Orderflow(at("https://shop.example"))

    assert ("cannot be read" in str(error.value)) == (kind == "missing")


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"])
def test_a_ca_file_of_an_unknown_user_is_named(variable: str) -> None:
    """A path that cannot be expanded is reported in a sentence."""
    with pytest.raises(OrderflowError, match=f"{variable}: there is no user"):
        tls_context(["https://shop.example"], {variable: "~no-such-user/ca.pem"})


def test_without_tls_no_authority_is_read(tmp_path: Path) -> None:
    """A wrong variable does not matter without TLS, and no authority is trusted."""
    context = tls_context(["http://127.0.0.1:8001"], {"SSL_CERT_FILE": str(tmp_path / "missing")})

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.get_ca_certs() == []
