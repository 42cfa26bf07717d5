"""Wrong passwords are slowed down: by name and by address, for a while."""

import asyncio

import httpx

from fakes.guarded_app import PASSWORD, Guarded
from orderflow_contracts.access import Role

WRONG = "wrong"


async def try_once(
    service: Guarded, name: str = "ann", password: str = WRONG, peer: str = "10.0.0.1"
) -> httpx.Response:
    data = {"name": name, "password": password}
    return await service.client(peer).post("/sign-in", data=data)


async def statuses(service: Guarded, count: int, **how: str) -> list[int]:
    return [(await try_once(service, **how)).status_code for _ in range(count)]


async def test_after_five_wrong_passwords_there_is_a_pause_that_grows(opened: Guarded) -> None:
    """Each further wrong one doubles it, up to fifteen minutes; the right one waits too."""
    opened.people.add("ann", Role.VIEWER)
    assert await statuses(opened, 5) == [401] * 5

    for pause in (30, 60, 120, 240):
        refused = await try_once(opened, password=PASSWORD)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(pause))
        assert "Too many attempts" in refused.text
        opened.clock.pass_by(seconds=pause)
        assert await statuses(opened, 1) == [401]


async def test_the_pause_is_never_longer_than_fifteen_minutes(opened: Guarded) -> None:
    """Then all is forgotten, and the right password lets in."""
    opened.people.add("ann", Role.VIEWER)
    for _ in range(12):
        await try_once(opened)
        opened.clock.pass_by(seconds=75)
    refused = await try_once(opened)
    assert int(refused.headers.get("Retry-After", "0")) <= 900

    opened.clock.pass_by(minutes=15)

    assert (await try_once(opened, password=PASSWORD)).status_code == 303


async def test_the_right_password_takes_back_the_wrong_ones(opened: Guarded) -> None:
    """Who mistypes now and then is never made to wait."""
    opened.people.add("ann", Role.VIEWER)
    for _ in range(3):
        assert await statuses(opened, 4) == [401] * 4
        assert (await try_once(opened, password=PASSWORD)).status_code == 303


async def test_a_name_is_not_locked_out_from_elsewhere_by_a_few(opened: Guarded) -> None:
    """Five wrong ones slow down where they came from; twenty slow down the name everywhere."""
    opened.people.add("ann", Role.VIEWER)
    assert await statuses(opened, 5) == [401] * 5
    assert await statuses(opened, 1) == [429]
    assert (await try_once(opened, password=PASSWORD, peer="10.0.0.2")).status_code == 303

    for peer in range(4):
        await statuses(opened, 5, peer=f"10.1.0.{peer}")

    assert await statuses(opened, 1, peer="10.2.0.1") == [429]


async def test_an_address_that_tries_many_names_is_slowed_down(opened: Guarded) -> None:
    """Twenty wrong ones from an address, whatever the names; other addresses do not mind."""
    opened.people.add("ann", Role.VIEWER)
    for number in range(20):
        assert await statuses(opened, 1, name=f"n{number}") == [401]

    assert await statuses(opened, 1, password=PASSWORD) == [429]
    assert (await try_once(opened, password=PASSWORD, peer="10.0.0.2")).status_code == 303


async def test_an_unknown_name_is_slowed_down_like_a_known_one(opened: Guarded) -> None:
    """Not even this tells who is a user; letters and blanks do not make another name."""
    assert await statuses(opened, 3, name="nobody") == [401] * 3
    assert await statuses(opened, 2, name=" NoBody ") == [401] * 2
    assert await statuses(opened, 1, name="nobody") == [429]


async def test_many_at_once_are_counted_like_one_after_the_other(opened: Guarded) -> None:
    """Nobody gains tries by not waiting for the answer."""
    opened.people.add("ann", Role.VIEWER)

    responses = await asyncio.gather(*(try_once(opened) for _ in range(12)))

    assert sorted(response.status_code for response in responses) == [401] * 5 + [429] * 7
