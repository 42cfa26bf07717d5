import pytest

from deploy.checks import CHECKS
from deploy.documents import of_kind
from deploy.reference_checks import secrets_documented, secrets_used
from deploy.rendering import LOCAL, VARIANTS, Variant, render, render_text
from orderflow_contracts.names import SERVICES


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("check", CHECKS)
def test_a_check_finds_no_fault(variant: Variant, check: str) -> None:
    """Every documented environment passes every check."""
    assert CHECKS[check](render(variant)) == []


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_listed_secrets_are_the_used_ones(variant: Variant) -> None:
    """Creating the listed secrets is sufficient and necessary."""
    assert secrets_used(render(variant)) == secrets_documented(variant.broker)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_no_secret_is_in_the_manifests(variant: Variant) -> None:
    """Secrets are referred to, but none is created from files in git."""
    assert "kind: Secret\n" not in render_text(variant)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_no_subscription_is_in_the_manifests(variant: Variant) -> None:
    """Subscriptions are in the code; one in the manifests would be ignored."""
    assert "kind: Subscription\n" not in render_text(variant)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_production_scales_every_service(variant: Variant) -> None:
    """Outside the local overlay each service has one autoscaler, and nothing else has one."""
    scalers = of_kind(render(variant), "HorizontalPodAutoscaler", "ScaledObject")
    targets = sorted(each["spec"]["scaleTargetRef"]["name"] for each in scalers)
    assert targets == ([] if variant == LOCAL else sorted(SERVICES))
