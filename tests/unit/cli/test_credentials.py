"""What the command shows to the services, where it finds it, and who gets to see it."""

from pathlib import Path

import pytest

from fakes.command import Run
from fakes.shop import Shop
from orderflow_cli.access_file import AccessStore, write_private
from orderflow_cli.accounts import with_token
from orderflow_cli.client import Orderflow
from orderflow_cli.credentials import load_credential
from orderflow_cli.errors import OrderflowError
from orderflow_cli.settings import Settings, load
from orderflow_contracts.access import Role, new_token

LARGE = ("console", "cars", "4", "y", "exit")


@pytest.fixture
def token(home: Path) -> str:
    """Leave a token of alice's in the run's folder, as `make run` does."""
    secret = new_token()
    AccessStore(home / "access.json").change(lambda file: with_token(file, "alice", Role, secret))
    write_private(home / "token", secret)
    return secret


@pytest.mark.usefixtures("settings")
def test_the_services_see_the_token_and_the_sidecar_does_not(
    shop: Shop, run: Run, token: str
) -> None:
    """Reading, the feed and the decision show it; publishing, by the sidecar, never does."""
    shop.wants = f"Bearer {token}"

    assert run(*LARGE).code == 0

    assert run("workflows", "list").code == 0
    by_service = {path.split("/")[1]: shown for path, shown in shop.shown}
    assert by_service == {
        "orders": shop.wants,
        "inventory": shop.wants,
        "approvals": shop.wants,
        "sidecar": None,
    }
    assert {shown for path, shown in shop.shown if path.startswith("/sidecar/")} == {None}
    assert ("/orders/orders/stream", shop.wants) in shop.shown


@pytest.mark.usefixtures("settings", "token")
def test_who_decides_is_the_tokens_name(shop: Shop, run: Run) -> None:
    """A decision by a token is one in its name, unless another is given."""
    assert run(*LARGE).code == 0

    assert shop.decisions[0]["approver"] == "alice"


@pytest.mark.usefixtures("settings")
def test_for_another_approver_no_token_is_shown(shop: Shop, run: Run, token: str) -> None:
    """Nobody is two approvers by one token: where the APIs are open, the name is what counts."""
    shop.submit(event("big"))
    assert run("approve", "big", "--approver", "bob").code == 0
    assert ("/approvals/approvals/big/decision", None) in shop.shown

    shop.submit(event("big-2"))
    assert run("approve", "big-2", "--approver", "alice").code == 0
    assert ("/approvals/approvals/big-2/decision", f"Bearer {token}") in shop.shown


def test_the_environment_wins_over_the_file(home: Path, token: str) -> None:
    """A token that is given is taken before one that is found."""
    other = new_token()
    write_private(home / "named", other)
    at_home = {"ORDERFLOW_HOME": str(home)}

    found = load_credential(at_home)
    assert found is not None
    assert (found.token, found.name) == (token, "alice")
    for given in (
        {"ORDERFLOW_TOKEN": other},
        {"ORDERFLOW_TOKEN_FILE": str(home / "named")},
    ):
        found = load_credential({**at_home, **given})
        assert found is not None
        assert (found.token, found.name) == (other, None)
        assert other not in repr(load({**at_home, **given}))


def test_a_found_token_stays_on_this_machine(home: Path, token: str) -> None:
    """The run's own token is not sent to services elsewhere; one that was given is."""
    found = load_credential({"ORDERFLOW_HOME": str(home)})
    given = load_credential({"ORDERFLOW_HOME": str(home), "ORDERFLOW_TOKEN": token})

    assert found is not None
    assert given is not None
    for url in ("http://127.0.0.1:8001", "http://localhost", "http://[::1]:8001"):
        assert found.headers(url) == given.headers(url) == {"authorization": f"Bearer {token}"}
    for url in ("http://10.0.0.1:8001", "https://shop.example", "http://127.0.0.1.example"):
        assert found.headers(url) == {}
        assert given.headers(url) == {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
@pytest.mark.usefixtures("token")
def test_a_file_that_others_can_read_is_not_used(home: Path, mode: int) -> None:
    """Who could have read or changed it, could act with it."""
    (home / "token").chmod(mode)

    with pytest.raises(OrderflowError, match=f"its mode is {mode:o}.*chmod 600"):
        load_credential({"ORDERFLOW_HOME": str(home)})


@pytest.mark.parametrize("text", ["", "secret", "ofl_short", "ofl_" + "!" * 43])
def test_what_is_no_token_is_not_shown(home: Path, text: str) -> None:
    """The error names where it was found, and not what it was."""
    write_private(home / "token", text)

    with pytest.raises(OrderflowError, match="holds no token") as error:
        load_credential({"ORDERFLOW_HOME": str(home)})

    assert str(home / "token") in str(error.value)
    assert not text or text not in str(error.value).replace("ofl_ and", "")


def test_no_token_is_fine_unless_one_was_named(home: Path) -> None:
    """Open services need none; a file that was named and is missing is a mistake."""
    assert load_credential({"ORDERFLOW_HOME": str(home)}) is None

    with pytest.raises(OrderflowError, match=r"nowhere cannot be read: No such file"):
        load_credential({"ORDERFLOW_TOKEN_FILE": str(home / "nowhere")})


@pytest.mark.usefixtures("settings")
def test_without_a_token_the_remedy_is_told(shop: Shop, run: Run) -> None:
    """A closed service leads to a sentence that says how to come in."""
    shop.wants = "Bearer something"

    outcome = run("orders")

    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "a token is needed (SIGN_IN_NEEDED) - give a token by ORDERFLOW_TOKEN" in outcome.err
    assert "`orderflow tokens add` makes one" in outcome.err


@pytest.mark.usefixtures("settings", "token")
def test_a_token_that_does_not_count_is_named_by_its_source(
    shop: Shop, run: Run, home: Path
) -> None:
    """Whoever has several learns which one was refused; the console gives up as well."""
    shop.wants = "Bearer something"
    outcome = run("approvals")
    assert f"the token from {home / 'token'} does not count there" in outcome.err

    shop.wants = None
    shop.submit(event("big"))
    shop.wants = "Bearer something"
    outcome = run("approve", "big", "--approver", "bob")
    assert "give a token by ORDERFLOW_TOKEN" in outcome.err


@pytest.mark.usefixtures("settings")
def test_a_token_that_does_not_suffice_is_named_too(
    shop: Shop, run: Run, home: Path, token: str
) -> None:
    """The service says which role is missing, the command which token was shown."""
    shop.wants, shop.forbids = f"Bearer {token}", True

    outcome = run("cancel", "a")

    assert "that needs an operator (NOT_ALLOWED)" in outcome.err
    assert f"it was asked with the token from {home / 'token'}" in outcome.err


@pytest.mark.usefixtures("settings")
def test_a_console_that_may_not_decide_says_so(shop: Shop, run: Run, token: str) -> None:
    """It does not wait for a decision that it was not let make; the order waits."""
    shop.wants = f"Bearer {token}"

    outcome = run(*LARGE, "--approver", "bob")

    assert outcome.code == 1
    assert "SIGN_IN_NEEDED" in outcome.err
    assert shop.decisions == []


def test_the_feed_tells_why_it_was_not_opened(shop: Shop, settings: Settings) -> None:
    """A refused feed is a refusal, at once."""
    shop.wants = "Bearer something"

    with (
        Orderflow(settings) as flow,
        pytest.raises(OrderflowError, match="SIGN_IN_NEEDED"),
        flow.statuses(),
    ):
        pass


def event(order_id: str) -> dict[str, object]:
    data = {"order_id": order_id, "lines": [{"item": "cars", "quantity": 4}]}
    return {"id": order_id, "data": data}
