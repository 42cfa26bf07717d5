"""The fake services over HTTP, with the feed of status changes as server-sent events."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from fakes.shop import STREAM_END, Shop
from fakes.workflow_server import ManagedWorkflows
from orderflow_cli.settings import Settings

WORKFLOWS = "/orders/workflows"


class Handler(BaseHTTPRequestHandler):
    """Serves the shop over HTTP."""

    shop: Shop
    workflows: ManagedWorkflows

    def do_GET(self) -> None:
        if refused := self.shop.authenticate(self.path, self.headers.get("authorization")):
            self._reply(*refused)
        elif self.path.startswith(WORKFLOWS):
            self._reply(*self.workflows.answer("GET", self.path.removeprefix(WORKFLOWS), b""))
        elif self.path == "/orders/orders/stream":
            self._stream()
        else:
            path, _, query = self.path.partition("?")
            self._reply(*self.shop.answer(path, None, dict(parse_qsl(query))))

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        if refused := self.shop.authenticate(self.path, self.headers.get("authorization")):
            self._reply(*refused)
        elif self.path.startswith(WORKFLOWS):
            path = self.path.removeprefix(WORKFLOWS)
            self._reply(*self.workflows.answer("POST", path, content))
        else:
            self._reply(*self.shop.answer(self.path, json.loads(content or b"null")))

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _reply(self, status: int, document: Any) -> None:
        content = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        shop = self.shop
        position = int(self.headers.get("last-event-id", len(shop.feed)))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b": following\n\n")
        if shop.forgets_positions and "last-event-id" in self.headers:
            position = len(shop.feed)
            data = json.dumps({"reason": "beyond_end", "position": position, "detail": "Gone."})
            self.wfile.write(f"id: {position}\nevent: reset\ndata: {data}\n\n".encode())
        while True:
            entry = shop.next_feed_entry(position)
            position += 1
            if entry == STREAM_END:
                # The end has no ID of its own: the next change follows it.
                self.wfile.write(f"id: {position}\ndata:\n\n".encode())
                return
            event = f"id: {position}\nevent: orders.status\ndata: {json.dumps(entry)}\n\n"
            self.wfile.write(event.encode())


class Server(ThreadingHTTPServer):
    """A server that accepts many connections at the same time."""

    daemon_threads = True
    request_queue_size = 64


@contextmanager
def serving(shop: Shop, workflows: ManagedWorkflows) -> Iterator[Settings]:
    """Serve the shop and its workflows on a free loopback port; yield the addresses."""
    handler = type("ShopHandler", (Handler,), {"shop": shop, "workflows": workflows})
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        yield Settings(
            f"{base}/orders", f"{base}/inventory", f"{base}/approvals", f"{base}/sidecar"
        )
    finally:
        shop.end_feeds()
        server.shutdown()
        thread.join()
        server.server_close()
