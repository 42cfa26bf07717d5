"""One cluster with Orderflow for all tests; if no node can run here, an API server alone."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cluster import site
from cluster.pods import Pods
from cluster.shop import ClusterShop
from isolation import on_the_machine
from orderflow_lab.cluster.api_only import ApiOnly
from orderflow_lab.cluster.cluster import Cluster
from orderflow_lab.cluster.commands import CHANGES
from orderflow_lab.cluster.preconditions import why_no_node
from orderflow_tools.console import print_line, step
from orderflow_tools.deployment.client import Client
from orderflow_tools.errors import PlatformError

NEED_A_NODE = {"cluster", "pods", "shop"}
"""Tests with one of these fixtures need running pods."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a developer use the cluster that is already up."""
    parser.addoption(
        "--running",
        action="store_true",
        help="use what `make cluster-up deploy-local` has started, and leave it running",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that need a node if none can run; limit each test, but not the cluster's start."""
    reason = why_no_node()
    for item in items:
        item.add_marker(pytest.mark.timeout(300, func_only=True))
        if reason and NEED_A_NODE & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """State clearly what a run without a node has tested."""
    if reason := why_no_node():
        terminalreporter.section("No node", red=True, bold=True)
        terminalreporter.line(
            f"{reason} Only manifests were tested, against an API server: that Orderflow works in "
            "a cluster was NOT tested."
        )


@pytest.fixture(scope="package", autouse=True)
def machine() -> Iterator[None]:
    """Let a cluster be installed and run with the machine's network and its user's settings."""
    with on_the_machine():
        yield


@pytest.fixture(scope="package")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Bring up a cluster with Orderflow, and take it down however the tests end."""
    if request.config.getoption("--running"):
        with site.running_cluster() as cluster:
            yield cluster
        return
    cluster = Cluster(site.settings(), step=step)
    with _interruptible(), _taken_down(cluster, request):
        with _uncaptured(request), _or_exit():
            print_line(f"\n{CHANGES}")
            cluster.up()
            site.set_up(cluster)
        yield cluster


@pytest.fixture(scope="package")
def api(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Return a client of the cluster's API server, or of a separate one if no node can run."""
    if why_no_node() is None:
        cluster: Cluster = request.getfixturevalue("cluster")
        yield cluster.client
        return
    with ApiOnly(site.settings()) as server:
        server.client.run("apply", "-f", site.NAMESPACE_FILE)
        yield server.client


@pytest.fixture(scope="package")
def pods(cluster: Cluster) -> Pods:
    """Return the pods of the services."""
    return Pods(cluster.client)


@pytest.fixture(scope="package")
def shop(cluster: Cluster) -> Iterator[ClusterShop]:
    """Use Orderflow in the cluster."""
    shop = ClusterShop(cluster.client)
    yield shop
    shop.close()


@contextmanager
def _taken_down(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[None]:
    """Take the cluster down at the end; after a failure, save the logs of its pods first."""
    try:
        yield
    except BaseException:
        with _uncaptured(request):
            _save_logs(cluster)
        raise
    else:
        if request.session.testsfailed:
            with _uncaptured(request):
                _save_logs(cluster)
    finally:
        with _uncaptured(request), step("the cluster taken down"):
            cluster.down()


def _save_logs(cluster: Cluster) -> None:
    if cluster.ready:
        site.save_logs(cluster)


@contextmanager
def _or_exit() -> Iterator[None]:
    """End the whole run if there is no cluster, instead of failing at every test."""
    try:
        yield
    except PlatformError as error:
        pytest.exit(str(error), returncode=1)


@contextmanager
def _uncaptured(request: pytest.FixtureRequest) -> Iterator[None]:
    """Show the output while it is printed."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        yield


@contextmanager
def _interruptible() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that pytest stops and cleans up."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
