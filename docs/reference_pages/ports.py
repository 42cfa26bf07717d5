"""The page of ports: what a local run listens on, and the variable that moves it."""

from typing import Final

from orderflow_tools.ports import Ports
from reference_pages.markdown import code, page, table

INTRODUCTION: Final = """\
A local run listens on loopback only. `ORDERFLOW_PORT_OFFSET` is added to every default port, and
each variable sets one port, as [run two
platforms](../how-to/run-locally.md#run-two-platforms-at-once) shows. On Kubernetes the services use
the same HTTP and gRPC ports, and Dapr uses its own defaults."""

USES: Final = {
    "HTTP": "HTTP API, and pages if the service has any",
    "GRPC": "calls and events from the sidecar",
    "DAPR_HTTP": "HTTP API of the sidecar",
    "DAPR_GRPC": "gRPC API of the sidecar",
    "DAPR_INTERNAL_GRPC": "calls from other sidecars",
    "DAPR_METRICS": "metrics of the sidecar",
    "BROKER": "Redis: workflow state, and events if it is the broker",
    "EVENT_BROKER": "a broker other than Redis: events",
    "EVENT_BROKER_PEER": "internal to that broker",
    "PLACEMENT": "Dapr placement, for sidecars",
    "PLACEMENT_HEALTH": "health of placement",
    "PLACEMENT_METRICS": "metrics of placement",
    "PLACEMENT_RAFT": "internal to placement",
    "SCHEDULER": "Dapr scheduler, for sidecars",
    "SCHEDULER_HEALTH": "health of the scheduler",
    "SCHEDULER_METRICS": "metrics of the scheduler",
    "SCHEDULER_ETCD_CLIENT": "store of the scheduler; `dapr workflow purge` expects it on 2379",
    "SCHEDULER_ETCD_PEER": "internal to the scheduler",
}


def ports_page() -> str:
    """Write the page; raises KeyError where a port has no use in the table above."""
    rows = []
    for variable, port in Ports.from_environment({}).by_variable():
        owner, _, use = variable.removesuffix("_PORT").partition("_")
        shown = "platform" if owner == "ORDERFLOW" else owner.lower()
        rows.append((str(port), shown, USES[use], code(variable)))
    return page("Ports", INTRODUCTION, table(("Port", "Owner", "Use", "Variable"), rows))
