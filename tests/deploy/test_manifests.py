import pytest

from deploy import code
from deploy.checks import CHECKS
from deploy.reference_checks import secrets_documented, secrets_used
from deploy.rendering import VARIANTS, Variant, render, render_text
from orderflow_contracts import names


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("check", CHECKS)
def test_a_check_finds_nothing(variant: Variant, check: str) -> None:
    """Every environment that the documentation offers passes every check."""
    assert CHECKS[check](render(variant)) == []


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_listed_secrets_are_those_that_are_used(variant: Variant) -> None:
    """Whoever makes what the list says has made all that is needed, and nothing else."""
    assert secrets_used(render(variant)) == secrets_documented(variant.broker)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_no_secret_is_in_the_manifests(variant: Variant) -> None:
    """Secrets are referred to; none is made from what is in git."""
    assert "kind: Secret\n" not in render_text(variant)


@pytest.mark.parametrize("app_id", [names.ORDERS, names.INVENTORY, names.APPROVALS])
def test_every_subscription_has_a_dead_letter_topic(app_id: str) -> None:
    """The subscriptions are in the code, each with its dead letters, and the manifests add none."""
    found = code.registered(app_id).subscriptions
    for topic in names.SUBSCRIPTIONS[app_id]:
        assert found[topic] == names.dead_letter_topic(topic)
    dead = {names.dead_letter_topic(topic) for topic in names.SUBSCRIPTIONS[app_id]}
    assert found.keys() <= dead | set(names.SUBSCRIPTIONS[app_id])
    for variant in VARIANTS:
        assert "kind: Subscription\n" not in render_text(variant)
