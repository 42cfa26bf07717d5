"""The API server's own checks of the manifests for production."""

import pytest

from deploy.rendering import VARIANTS, Variant, render_text
from deploy.schemas import KEDA, KEDA_PINS, go_module
from orderflow_tools.deployment.client import Client
from orderflow_tools.errors import PlatformError

STRICT = ("--dry-run=server", "--validate=strict", "--warnings-as-errors")


@pytest.fixture(scope="module")
def client_with_keda(api: Client) -> Client:
    """Return a client of an API server that knows KEDA's resources, as if KEDA were installed."""
    definitions = go_module(KEDA_PINS, KEDA) / "config" / "crd" / "bases"
    api.run("apply", "--server-side", "-f", definitions)
    api.run("wait", "--for=condition=Established", "--timeout=30s", "-f", definitions)
    return api


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_api_server_accepts_every_variant(client_with_keda: Client, variant: Variant) -> None:
    """Each overlay with each addition is accepted completely and without a warning."""
    output = client_with_keda.run("apply", *STRICT, "-f", "-", data=render_text(variant))
    assert "deployment.apps/orders" in output
    assert "(server dry run)" in output


def test_the_api_server_rejects_unknown_fields(client_with_keda: Client) -> None:
    """A misspelt field is rejected and named."""
    wrong = render_text(VARIANTS[1]).replace("maxUnavailable:", "maxUnavailible:")
    with pytest.raises(PlatformError, match=r"unknown field \"spec\.maxUnavailible\""):
        client_with_keda.run("apply", *STRICT, "-f", "-", data=wrong)
