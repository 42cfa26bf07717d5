"""Wrong passwords are throttled for a while, by name and by address."""

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


async def test_five_wrong_passwords_start_a_growing_delay(opened: Guarded) -> None:
    """Each further one doubles it, up to fifteen minutes; the right password must wait, too."""
    opened.people.add("ann", Role.VIEWER)
    assert await statuses(opened, 5) == [401] * 5

    for pause in (30, 60, 120, 240):
        refused = await try_once(opened, password=PASSWORD)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(pause))
        assert "Too many attempts" in refused.text
        opened.clock.pass_by(seconds=pause)
        assert await statuses(opened, 1) == [401]


async def test_the_delay_is_at_most_fifteen_minutes(opened: Guarded) -> None:
    """Afterwards the count is reset, and the right password works."""
    opened.people.add("ann", Role.VIEWER)
    for _ in range(12):
        await try_once(opened)
        opened.clock.pass_by(seconds=75)
    refused = await try_once(opened)
    assert int(refused.headers.get("Retry-After", "0")) <= 900

    opened.clock.pass_by(minutes=15)

    assert (await try_once(opened, password=PASSWORD)).status_code == 303


async def test_the_right_password_resets_the_count(opened: Guarded) -> None:
    """Occasional mistakes never cause a delay."""
    opened.people.add("ann", Role.VIEWER)
    for _ in range(3):
        assert await statuses(opened, 4) == [401] * 4
        assert (await try_once(opened, password=PASSWORD)).status_code == 303


async def test_a_few_wrong_passwords_do_not_lock_the_name_elsewhere(opened: Guarded) -> None:
    """Five delay the address they came from; twenty delay the name everywhere."""
    opened.people.add("ann", Role.VIEWER)
    assert await statuses(opened, 5) == [401] * 5
    assert await statuses(opened, 1) == [429]
    assert (await try_once(opened, password=PASSWORD, peer="10.0.0.2")).status_code == 303

    for peer in range(4):
        await statuses(opened, 5, peer=f"10.1.0.{peer}")

    assert await statuses(opened, 1, peer="10.2.0.1") == [429]


async def test_an_address_that_tries_many_names_is_delayed(opened: Guarded) -> None:
    """Twenty wrong passwords for any names delay the address, and no other address."""
    opened.people.add("ann", Role.VIEWER)
    for number in range(20):
        assert await statuses(opened, 1, name=f"n{number}") == [401]

    assert await statuses(opened, 1, password=PASSWORD) == [429]
    assert (await try_once(opened, password=PASSWORD, peer="10.0.0.2")).status_code == 303


async def test_an_unknown_name_is_delayed_like_a_known_one(opened: Guarded) -> None:
    """Delays do not reveal who is a user; case and spaces do not make another name."""
    assert await statuses(opened, 3, name="nobody") == [401] * 3
    assert await statuses(opened, 2, name=" NoBody ") == [401] * 2
    assert await statuses(opened, 1, name="nobody") == [429]


async def test_concurrent_attempts_are_counted_like_sequential_ones(opened: Guarded) -> None:
    """Not waiting for the response gains no attempts."""
    opened.people.add("ann", Role.VIEWER)

    responses = await asyncio.gather(*(try_once(opened) for _ in range(12)))

    assert sorted(response.status_code for response in responses) == [401] * 5 + [429] * 7
