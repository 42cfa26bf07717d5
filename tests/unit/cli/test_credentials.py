"""Where the command finds its token, and which services it sends it to."""

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
    """Create a token for alice in the run's folder, as `make run` does."""
    secret = new_token()
    AccessStore(home / "access.json").change(lambda file: with_token(file, "alice", Role, secret))
    write_private(home / "token", secret)
    return secret


@pytest.mark.usefixtures("settings")
def test_the_token_is_sent_to_the_services_and_not_to_the_sidecar(
    shop: Shop, run: Run, token: str
) -> None:
    """Reads, the feed and decisions carry it; publishing through the sidecar does not."""
    shop.required_credential = f"Bearer {token}"

    assert run(*LARGE).code == 0

    assert run("workflows", "list").code == 0
    by_service = {path.split("/")[1]: credential for path, credential in shop.credentials}
    assert by_service == {
        "orders": shop.required_credential,
        "inventory": shop.required_credential,
        "approvals": shop.required_credential,
        "sidecar": None,
    }
    assert {sent for path, sent in shop.credentials if path.startswith("/sidecar/")} == {None}
    assert ("/orders/orders/stream", shop.required_credential) in shop.credentials


@pytest.mark.usefixtures("settings", "token")
def test_the_approver_is_the_tokens_name(shop: Shop, run: Run) -> None:
    """A decision is made in the token's name unless another approver is given."""
    assert run(*LARGE).code == 0

    assert shop.decisions[0]["approver"] == "alice"


@pytest.mark.usefixtures("settings")
def test_no_token_is_sent_for_another_approver(shop: Shop, run: Run, token: str) -> None:
    """One token cannot act as two approvers; on open APIs the given name is used."""
    shop.submit(event("big"))
    assert run("approve", "big", "--approver", "bob").code == 0
    assert ("/approvals/approvals/big/decision", None) in shop.credentials

    shop.submit(event("big-2"))
    assert run("approve", "big-2", "--approver", "alice").code == 0
    assert ("/approvals/approvals/big-2/decision", f"Bearer {token}") in shop.credentials


def test_the_environment_takes_precedence_over_the_default_file(home: Path, token: str) -> None:
    """A token given by the environment is used before the one in the run's folder."""
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


def test_the_runs_own_token_stays_on_this_machine(home: Path, token: str) -> None:
    """The run's own token is not sent to remote services; one given by the environment is."""
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
    """Others could have read or changed the token."""
    (home / "token").chmod(mode)

    with pytest.raises(OrderflowError, match=f"its mode is {mode:o}.*chmod 600"):
        load_credential({"ORDERFLOW_HOME": str(home)})


@pytest.mark.parametrize("text", ["", "secret", "ofl_short", "ofl_" + "!" * 43])
def test_an_invalid_token_is_not_printed(home: Path, text: str) -> None:
    """The error names the file, and not its content."""
    write_private(home / "token", text)

    with pytest.raises(OrderflowError, match="contains no valid token") as error:
        load_credential({"ORDERFLOW_HOME": str(home)})

    assert str(home / "token") in str(error.value)
    assert not text or text not in str(error.value).replace("ofl_ and", "")


def test_a_token_is_optional_unless_a_file_was_named(home: Path) -> None:
    """Open services need no token; a named file that is missing is an error."""
    assert load_credential({"ORDERFLOW_HOME": str(home)}) is None

    with pytest.raises(OrderflowError, match=r"nowhere cannot be read: No such file"):
        load_credential({"ORDERFLOW_TOKEN_FILE": str(home / "nowhere")})


@pytest.mark.usefixtures("settings")
def test_a_missing_token_is_reported_with_the_remedy(shop: Shop, run: Run) -> None:
    """If a service requires a token, the error says how to provide one."""
    shop.required_credential = "Bearer something"

    outcome = run("orders")

    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "a token is needed (SIGN_IN_NEEDED) - provide a token in ORDERFLOW_TOKEN" in outcome.err
    assert "create one with `orderflow tokens add`" in outcome.err


@pytest.mark.usefixtures("settings", "token")
def test_an_invalid_token_is_named_by_its_source(shop: Shop, run: Run, home: Path) -> None:
    """The error says which token was rejected, also when deciding."""
    shop.required_credential = "Bearer something"
    outcome = run("approvals")
    assert f"the token from {home / 'token'} is not valid there" in outcome.err

    shop.required_credential = None
    shop.submit(event("big"))
    shop.required_credential = "Bearer something"
    outcome = run("approve", "big", "--approver", "bob")
    assert "provide a token in ORDERFLOW_TOKEN" in outcome.err


@pytest.mark.usefixtures("settings")
def test_a_token_without_the_role_is_named_too(
    shop: Shop, run: Run, home: Path, token: str
) -> None:
    """The service names the missing role, and the command names the token."""
    shop.required_credential, shop.lacks_role = f"Bearer {token}", True

    outcome = run("cancel", "a")

    assert "that needs an operator (NOT_ALLOWED)" in outcome.err
    assert f"the request used the token from {home / 'token'}" in outcome.err


@pytest.mark.usefixtures("settings")
def test_a_console_without_permission_to_decide_fails(shop: Shop, run: Run, token: str) -> None:
    """The console fails instead of waiting for a decision that it may not make."""
    shop.required_credential = f"Bearer {token}"

    outcome = run(*LARGE, "--approver", "bob")

    assert outcome.code == 1
    assert "SIGN_IN_NEEDED" in outcome.err
    assert shop.decisions == []


def test_a_rejected_feed_reports_the_reason(shop: Shop, settings: Settings) -> None:
    """A feed that is rejected fails immediately."""
    shop.required_credential = "Bearer something"

    with (
        Orderflow(settings) as flow,
        pytest.raises(OrderflowError, match="SIGN_IN_NEEDED"),
        flow.statuses(),
    ):
        pass


def event(order_id: str) -> dict[str, object]:
    data = {"order_id": order_id, "lines": [{"item": "cars", "quantity": 4}]}
    return {"id": order_id, "data": data}
