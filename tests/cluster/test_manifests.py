"""What the API server itself says of the manifests for production."""

import pytest

from deploy.rendering import VARIANTS, Variant, render_text
from deploy.schemas import KEDA, KEDA_PINS, go_module
from orderflow_tools.deployment.client import Client
from orderflow_tools.errors import PlatformError

STRICT = ("--dry-run=server", "--validate=strict", "--warnings-as-errors")


@pytest.fixture(scope="module")
def knowing(api: Client) -> Client:
    """Ask an API server that knows KEDA's kinds, as one does where KEDA is installed."""
    definitions = go_module(KEDA_PINS, KEDA) / "config" / "crd" / "bases"
    api.run("apply", "--server-side", "-f", definitions)
    api.run("wait", "--for=condition=Established", "--timeout=30s", "-f", definitions)
    return api


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_api_server_takes_every_variant(knowing: Client, variant: Variant) -> None:
    """Each overlay, with whatever is added to it, is taken whole and without a warning."""
    told = knowing.run("apply", *STRICT, "-f", "-", data=render_text(variant))
    assert "deployment.apps/orders" in told
    assert "(server dry run)" in told


def test_the_api_server_refuses_what_it_does_not_know(knowing: Client) -> None:
    """A field that is misspelt in any of the documents is refused by its name."""
    wrong = render_text(VARIANTS[1]).replace("maxUnavailable:", "maxUnavailible:")
    with pytest.raises(PlatformError, match=r"unknown field \"spec\.maxUnavailible\""):
        knowing.run("apply", *STRICT, "-f", "-", data=wrong)
