"""The host names by which a service may be called."""

from pathlib import Path

from fakes.guarded_app import guarded
from orderflow_contracts.access import Role

OTHERS = ["evil.example", "evil.example:8001", "127.0.0.1.evil.example", "", "10.0.0.1", "[::2]"]
OWN = ["localhost", "localhost:8001", "127.0.0.1:8001", "127.9.9.9", "[::1]:8001", "LOCALHOST."]


async def test_an_unknown_host_name_is_refused_on_loopback(tmp_path: Path) -> None:
    """This prevents DNS rebinding: a page elsewhere whose name points to this machine."""
    async with guarded(tmp_path, ORDERFLOW_PUBLIC_HOSTS="") as service:
        for host in OTHERS:
            for path in ("/things", "/sign-in", "/static/icon.svg", "/nothing-here"):
                response = await service.client().get(path, headers={"Host": host})
                refusal = (response.status_code, response.json()["code"])
                assert refusal == (421, "HOST_NOT_KNOWN"), (host, path)


async def test_own_host_names_are_accepted(tmp_path: Path) -> None:
    """These are the names of this machine and those configured."""
    async with guarded(tmp_path, ORDERFLOW_PUBLIC_HOSTS="shop.example, b.example") as service:
        for host in [*OWN, "shop.example", "SHOP.example:443"]:
            response = await service.client().get("/things", headers={"Host": host})
            assert response.status_code == 200, host


async def test_beyond_loopback_any_host_name_is_accepted_unless_configured(
    tmp_path: Path,
) -> None:
    """In a cluster a service has many names; a configured list is exclusive."""
    token = ""
    for hosts, status in (("", 200), ("shop.example", 421)):
        async with guarded(tmp_path, http_host="0.0.0.0", ORDERFLOW_PUBLIC_HOSTS=hosts) as service:  # noqa: S104 # not served
            token = service.people.give_token("ci", Role.VIEWER)
            headers = {"Host": "orders.shop.svc", "Authorization": f"Bearer {token}"}
            assert (await service.client().get("/things", headers=headers)).status_code == status
            assert (await service.client().get("/healthz", headers=headers)).status_code == 200
