"""Services behind TLS: whom the command trusts, and what it says about each failure."""

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
from orderflow_cli.trust import trusted

TRUSTING = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Shelf(BaseHTTPRequestHandler):
    """Answers every question with an empty shelf, or with an order's feed that has ended."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        if self.path == "/stock":
            self.wfile.write(b'{"items": []}')

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Keep quiet about clients that do not trust it."""


@contextmanager
def serving(certificate: trustme.LeafCert | None = None) -> Iterator[int]:
    """Serve on a free port, with TLS if there is a certificate."""
    server = Server(("127.0.0.1", 0), Shelf)
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
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep away what the machine that runs the tests is told about authorities and proxies."""
    for variable in (*TRUSTING, "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)


def at(url: str) -> Settings:
    return Settings(url, url, url, url)


def without_cause(failure: ServiceUnreachable, service: str = "orders") -> str:
    """Leave out how the system names the cause: a connection may break off in several ways."""
    return re.sub(r"\(.*?\)", "()", str(failure).replace(service, "orders"))


def failure(url: str) -> str:
    """Ask a service at a URL; return the sentence, which the feed must say as well."""
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


@pytest.mark.parametrize("variable", TRUSTING)
def test_an_authority_that_the_environment_names_is_trusted(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    authority: trustme.CA,
    certificate: trustme.LeafCert,
    variable: str,
) -> None:
    """A company's own authority is named by the customary variables, as a file or a folder."""
    path = as_file(tmp_path / "company.pem", authority)
    (tmp_path / "README").write_text("not a certificate")
    monkeypatch.setenv(variable, str(tmp_path if variable == "SSL_CERT_DIR" else path))

    with serving(certificate) as port, Orderflow(at(f"https://localhost:{port}")) as flow:
        assert flow.stock().items == ()


def test_an_unknown_authority_is_said(certificate: trustme.LeafCert) -> None:
    """The sentence says who is not trusted, and which variable would change that."""
    with serving(certificate) as port:
        said = failure(f"https://127.0.0.1:{port}")

    assert "is signed by an authority that is not trusted here" in said
    assert "SSL_CERT_FILE" in said


def test_another_host_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA
) -> None:
    """A certificate for another name is not accepted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(as_file(tmp_path / "ca.pem", authority)))
    other = authority.issue_cert("shop.example", key_type=trustme.KeyType.ECDSA)

    with serving(other) as port:
        for host in ("127.0.0.1", "localhost"):
            assert "is for another host" in failure(f"https://{host}:{port}")


@pytest.mark.parametrize(("days", "said"), [(-1, "has expired"), (1, "is not valid yet")])
def test_a_certificate_out_of_its_time_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA, days: int, said: str
) -> None:
    """The clock may be what is wrong."""
    monkeypatch.setenv("SSL_CERT_FILE", str(as_file(tmp_path / "ca.pem", authority)))
    day = datetime.now(UTC) + timedelta(days=days)
    begin, end = (day - timedelta(days=9), day) if days < 0 else (day, day + timedelta(days=9))
    certificate = authority.issue_cert(
        "127.0.0.1", not_before=begin, not_after=end, key_type=trustme.KeyType.ECDSA
    )

    with serving(certificate) as port:
        assert said in failure(f"https://127.0.0.1:{port}")


def test_tls_to_a_plain_port_is_said() -> None:
    """https:// where http:// is served."""
    with serving() as port:
        assert "does not speak TLS: its address begins with http://" in failure(
            f"https://127.0.0.1:{port}"
        )


def test_plain_http_to_a_tls_port_is_said(certificate: trustme.LeafCert) -> None:
    """http:// where https:// is served."""
    with serving(certificate) as port:
        assert "speaks TLS: its address begins with https://" in failure(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refusal_is_said(scheme: str) -> None:
    """Where nothing listens, the service is not running."""
    said = failure(f"{scheme}://127.0.0.1:1")

    assert f"does not answer at {scheme}://127.0.0.1:1 - is it running?" in said


def test_a_name_that_nobody_knows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the host, and not the service as if that were down."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    assert "the name shop.invalid of inventory" in failure("http://shop.invalid:8001")


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """Accept connections and deal with each in this way."""
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


def test_a_connection_that_breaks_off_is_said() -> None:
    """A server that closes at once is neither down nor slow."""
    # What was sent is read first: the kernel resets a connection that is closed over unread data.
    with listening(lambda connection: connection.recv(65_536)) as port:
        assert "broke off" in failure(f"http://127.0.0.1:{port}")
        assert "broke off before a TLS connection was made" in failure(f"https://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ConnectTimeout("timed out"), "nothing answers at https://shop.example"),
        (httpx.ReadTimeout("timed out"), "did not answer in time"),
        (httpx.ProxyError("403 Forbidden"), "(403 Forbidden): correct"),
    ],
)
def test_what_takes_too_long_or_is_refused_on_the_way_is_said(error: Exception, said: str) -> None:
    """Each has a sentence of its own."""
    assert said in str(explain("orders", "https://shop.example", error))


def test_a_proxy_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the service that is down; its password is not shown."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@127.0.0.1:1")

    said = str(explain("orders", "https://shop.example", httpx.ConnectError("refused")))
    own = str(explain("orders", "https://127.0.0.1:8001", httpx.ConnectError("refused")))

    assert "the proxy http://127.0.0.1:1, by which orders at https://shop.example is asked" in said
    assert "HTTPS_PROXY" in said
    assert "proxy" not in own


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("kind", ["missing", "empty", "text"])
def test_a_file_of_authorities_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, kind: str
) -> None:
    """Whether it is missing, empty or something else, the variable and the path are named."""
    path = tmp_path / "ca"
    if variable == "SSL_CERT_DIR":
        if kind != "missing":
            path.mkdir()
        if kind == "text":
            (path / "some.pem").write_text("hello")
    elif kind != "missing":
        path.write_text("hello" * (kind == "text"))
    monkeypatch.setenv(variable, str(path))

    with pytest.raises(OrderflowError, match=f"{variable} names {path}, which ") as refusal:
        Orderflow(at("https://shop.example"))

    assert ("cannot be read" in str(refusal.value)) == (kind == "missing")


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"])
def test_an_authority_in_the_home_of_nobody_is_named(variable: str) -> None:
    """A path that cannot be followed is a sentence, too."""
    with pytest.raises(OrderflowError, match=f"{variable}: there is no user"):
        trusted(["https://shop.example"], {variable: "~no-such-user/ca.pem"})


def test_without_tls_no_authority_is_looked_for(tmp_path: Path) -> None:
    """A wrong variable is no obstacle to services on this machine, and nobody is trusted."""
    context = trusted(["http://127.0.0.1:8001"], {"SSL_CERT_FILE": str(tmp_path / "missing")})

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.get_ca_certs() == []
