"""Requests to Orderflow in the cluster, from outside and from within its pods."""

import base64
import contextlib
import json
from collections.abc import Callable
from typing import Any, Final

import httpx
import redis
import yaml

from cluster.pods import Pods
from cluster.scripts import CALL_SIDECAR
from orderflow_contracts.access import AccessFile
from orderflow_contracts.names import LOCAL_PORTS
from orderflow_tools.deployment.client import Client
from orderflow_tools.deployment.secrets import ACCESS, ACCESS_KEY, FIRST_USER, NAMESPACE, manifest
from system.bearer import Bearer
from system.storefront import Storefront, wait_for

VISITOR: Final = "visitor"
"""An application that is not one of Orderflow's: see the folder of that name."""
OUTSIDE: Final = "outside"
"""The visitor's own component for the broker of the services."""
SIDECAR_PORT: Final = 3500
UNKNOWN_NAME: Final = "failed to resolve address"


class ClusterShop(Storefront):
    """Orderflow in a cluster on this machine, which has routes to its services and pods."""

    def __init__(self, client: Client) -> None:
        timeout = httpx.Timeout(10, connect=2)
        limits = httpx.Limits(max_connections=64)
        super().__init__(httpx.Client(timeout=timeout, trust_env=False, limits=limits))
        self.client = client
        self.pods = Pods(client)
        self.control_plane = Pods(client, "dapr-system")
        self._services = {app: self._service(app) for app in LOCAL_PORTS}
        self.approver = self.secret(FIRST_USER, "name")
        hosts = {httpx.URL(url).host for url in self._services.values()}
        self.http.auth = self.credential = Bearer(self.secret(FIRST_USER, "token"), hosts)
        self._visitor = f"http://{self.pods.address(VISITOR)}:{SIDECAR_PORT}"
        self._broker: redis.Redis | None = None

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    @property
    def broker(self) -> redis.Redis:
        """A client of Redis, at the address of its current pod."""
        if self._broker is not None:
            with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
                self._broker.ping()
                return self._broker
        self._broker = redis.Redis(
            host=self.pods.address("redis"),
            password=self.secret("orderflow-redis", "password"),
            socket_timeout=10,
            socket_connect_timeout=2,
        )
        return self._broker

    def secret(self, name: str, key: str) -> str:
        """Read a key of a secret."""
        path = "jsonpath={.data." + key.replace(".", r"\.") + "}"
        encoded = self.client.run("get", "secret", name, "-n", NAMESPACE, "-o", path)
        return base64.b64decode(encoded).decode()

    def change_access(self, rule: Callable[[AccessFile], AccessFile]) -> None:
        """Change users and tokens, as an operator does; pods see the change after some seconds."""
        file = rule(AccessFile.model_validate_json(self.secret(ACCESS, ACCESS_KEY)))
        values = {ACCESS_KEY: file.model_dump_json()}
        self.client.run("replace", "-f", "-", data=yaml.safe_dump(manifest(ACCESS, values)))

    def url(self, app: str, path: str) -> str:
        """Return the URL of a path of a service."""
        return f"{self._services[app]}{path}"

    def invoke(
        self,
        caller: str,
        app: str,
        method: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Invoke a method through the sidecar of `caller`, as that application.

        The cluster's DNS may need a few seconds to know a pod that has just become ready.
        """
        path = f"/v1.0/invoke/{app}/method/{method}"

        def answer() -> httpx.Response | None:
            if caller == VISITOR:
                response = self.http.post(self._visitor + path, json=body or {}, headers=headers)
            else:
                response = self.call_sidecar(caller, path, body or {}, headers)
            return None if UNKNOWN_NAME in response.text else response

        return wait_for(f"{caller} to find {app}", answer)

    def publish(
        self,
        topic: str,
        data: Any,
        *,
        raw: bytes | None = None,
        content_type: str = "application/json",
    ) -> httpx.Response:
        """Publish on a topic as an outside publisher does, through the visitor's sidecar."""
        return self.http.post(
            f"{self._visitor}/v1.0/publish/{OUTSIDE}/{topic}",
            content=raw if raw is not None else json.dumps(data).encode(),
            headers={"content-type": content_type},
        )

    def restock(self, item: str | None = None, quantity: int | None = None) -> None:
        """Add stock, or reset it to the opening stock.

        A sidecar whose peer's pod is gone may take half a minute to find another: gRPC does not
        query the cluster's DNS more often.
        """
        body = {"item": item, "quantity": quantity}
        body = {key: value for key, value in body.items() if value is not None}

        def done() -> bool:
            return self.invoke("orders", "inventory", "restock", body).status_code == 200

        wait_for("orders to reach inventory", done)

    def call_sidecar(
        self, app: str, path: str, body: Any, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Post to a service's sidecar from within its pod; nothing else can reach its API."""
        asked = json.dumps({"path": path, "body": body, "headers": headers or {}})
        response = json.loads(self.pods.execute(app, "python", "-c", CALL_SIDECAR, data=asked))
        return httpx.Response(response["status"], text=response["text"])

    def visit_workflow(self, instance_id: str, wanted: dict[str, Any]) -> httpx.Response:
        """Start the visitor's own workflow, which calls workflows and activities of others."""
        path = f"/v1.0/workflows/dapr/intrude/start?instanceID={instance_id}"
        return self.http.post(self._visitor + path, json=wanted)

    def visitors_workflow(self, instance_id: str) -> dict[str, Any]:
        """Return the status of the visitor's own workflow."""
        status: dict[str, Any] = self.http.get(
            f"{self._visitor}/v1.0/workflows/dapr/{instance_id}"
        ).json()
        return status

    def _service(self, app: str) -> str:
        address = self.client.run(
            *("get", "service", app, "-n", "orderflow", "-o", "jsonpath={.spec.clusterIP}")
        )
        return f"http://{address}:{LOCAL_PORTS[app].http}"
