import random
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow_tools import free_ports
from orderflow_tools.errors import PlatformError
from orderflow_tools.free_ports import (
    BLOCKS,
    check,
    find_free_ports,
    free_block,
    is_free,
    suggested_offset,
)
from orderflow_tools.ports import HIGHEST_PORT, Ports, variable_of
from orderflow_tools.settings import find_checkout

DEFAULTS = dict(Ports.from_environment({}).by_variable())
VARIABLES = tuple(DEFAULTS)


def numbers(environment: dict[str, str]) -> set[int]:
    return {port for _, port in Ports.from_environment(environment).by_variable()}


@contextmanager
def used(taken: set[int]) -> Iterator[None]:
    """Make these ports, and no others, appear to be in use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(free_ports, "is_free", lambda port: port not in taken)
        yield


def test_defaults_are_the_ports_of_the_contract() -> None:
    """Without variables, services and sidecars have the ports that other programs expect."""
    ports = Ports.from_environment({})

    assert (ports.apps["orders"].http, ports.apps["approvals"].grpc) == (8001, 7003)
    assert (ports.apps["inventory"].dapr_http, ports.apps["orders"].dapr_grpc) == (3502, 50101)
    assert (ports.control.broker, ports.control.placement, ports.control.scheduler) == (
        16379,
        50005,
        50006,
    )


def test_no_two_defaults_are_the_same() -> None:
    """A run does not conflict with itself."""
    ports = [port for _, port in Ports.from_environment({}).by_variable()]

    assert len(set(ports)) == len(ports)


def test_an_offset_moves_every_port() -> None:
    """ORDERFLOW_PORT_OFFSET is added to every default."""
    default = dict(Ports.from_environment({}).by_variable())

    moved = dict(Ports.from_environment({"ORDERFLOW_PORT_OFFSET": "100"}).by_variable())

    assert moved == {variable: port + 100 for variable, port in default.items()}


def test_each_port_moves_by_its_own_variable() -> None:
    """A port's own variable overrides the offset, and moves no other port."""
    default = dict(Ports.from_environment({}).by_variable())

    for variable in default:
        moved = dict(Ports.from_environment({variable: "1234"}).by_variable())

        assert moved == {**default, variable: 1234}


def test_a_port_in_use_is_named_with_its_user_and_the_remedy() -> None:
    """The error names the port, the process that uses it, and the variable that moves it."""
    ports = free_block()
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports.apps["orders"].http))
        other.listen()

        with pytest.raises(PlatformError) as caught:
            check(ports)

    assert f"Port {ports.apps['orders'].http} (ORDERS_HTTP_PORT) is in use by" in str(caught.value)
    suggested = re.search(r"all ports with ORDERFLOW_PORT_OFFSET=(\d+)\.$", str(caught.value))
    assert suggested
    assert not any(port - int(suggested[1]) in DEFAULTS.values() for port in DEFAULTS.values())


@given(
    offset=st.integers(0, 15_000),
    others=st.sets(st.integers(0, 13_000), max_size=3),
    single=st.dictionaries(st.sampled_from(VARIABLES), st.integers(1, HIGHEST_PORT), max_size=2),
)
def test_a_suggested_offset_works(offset: int, others: set[int], single: dict[str, int]) -> None:
    """Whatever else runs, a run at the suggested offset has ports that no other run needs."""
    taken = numbers({}).union(*(numbers({"ORDERFLOW_PORT_OFFSET": str(run)}) for run in others))
    environment = {variable: str(port) for variable, port in single.items()}
    given_ports = Ports.from_environment({**environment, "ORDERFLOW_PORT_OFFSET": str(offset)})

    with used(taken):
        suggested = suggested_offset(given_ports)

    if suggested is None:
        # No offset moves a port that was set singly to one that is taken, or twice to the same.
        assert taken & set(single.values()) or len(set(single.values())) < len(single)
        return
    moved = Ports.from_environment({**environment, "ORDERFLOW_PORT_OFFSET": str(suggested)})
    assert len({port for _, port in moved.by_variable()}) == len(VARIABLES)
    assert taken.isdisjoint(port for _, port in moved.by_variable())


def test_a_second_run_beside_the_default_one_gets_a_suggestion_that_works() -> None:
    """1000 would put the second run's gRPC ports on the first one's HTTP ports."""
    second = Ports.from_environment({"ORDERFLOW_PORT_OFFSET": "1000"})

    with used(numbers({})):
        suggested = suggested_offset(second)

    assert numbers({"ORDERFLOW_PORT_OFFSET": "1000"}) & numbers({})
    assert suggested is not None
    assert numbers({"ORDERFLOW_PORT_OFFSET": str(suggested)}).isdisjoint(numbers({}))


@given(offset=st.integers(0, 200_000))
def test_an_offset_gives_ports_or_is_refused_by_name(offset: int) -> None:
    """No run gets an invalid port; the error names the variable and its value."""
    environment = {"ORDERFLOW_PORT_OFFSET": str(offset)}
    expected = {port + offset for port in DEFAULTS.values()}

    if max(expected) <= HIGHEST_PORT:
        assert numbers(environment) == expected
    else:
        with pytest.raises(PlatformError, match=rf"ORDERFLOW_PORT_OFFSET={offset} "):
            numbers(environment)


@pytest.mark.parametrize("port", ["0", "-1", "65536", "eighty"])
@pytest.mark.parametrize("variable", VARIABLES)
def test_an_invalid_port_is_refused_with_the_name_of_its_variable(variable: str, port: str) -> None:
    """The limits are the same for a port's own variable."""
    with pytest.raises(PlatformError, match=rf"{variable} must be .*{port}"):
        Ports.from_environment({variable: port})


def test_no_offset_is_suggested_that_cannot_work() -> None:
    """If every offset conflicts with a port in use, only the port's own variable is suggested."""
    with used(set(range(HIGHEST_PORT + 1))):
        assert suggested_offset(Ports.from_environment({})) is None


def test_two_equal_ports_are_refused() -> None:
    """The error names both variables."""
    ports = Ports.from_environment({"ORDERS_HTTP_PORT": "7001"})

    with pytest.raises(PlatformError, match=r"ORDERS_HTTP_PORT and ORDERS_GRPC_PORT are both 7001"):
        check(ports)


def test_a_free_block_is_free() -> None:
    """The ports for an isolated run are free when they are chosen."""
    assert all(is_free(port) for _, port in free_block().by_variable())


def test_a_whole_run_fits_into_a_block() -> None:
    """A block is long enough for the ports of a run and the one that reserves them."""
    assert len(VARIABLES) < BLOCKS.step


@pytest.fixture
def reserved_elsewhere() -> Iterator[int]:
    """Let another process reserve ports that it does not use yet; return the first of them."""
    code = "from orderflow_tools.free_ports import find_free_ports as f; print(f(1)[0]); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate("\n")


def test_what_another_process_has_reserved_is_taken(
    reserved_elsewhere: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody gets reserved ports, even if their owner does not listen on them yet."""
    block = reserved_elsewhere - 1
    monkeypatch.setattr(free_ports, "BLOCKS", range(block, block + 1, BLOCKS.step))

    assert is_free(reserved_elsewhere)
    with pytest.raises(PlatformError, match="No 1 ports"):
        find_free_ports(1)


def test_no_ports_are_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks again gets other ports, whether or not the first ones are in use."""
    block = find_free_ports(1)[0] - 1
    monkeypatch.setattr(free_ports, "BLOCKS", range(block, block + 1, BLOCKS.step))

    with pytest.raises(PlatformError, match="No 1 ports"):
        find_free_ports(1)


def test_a_block_with_a_port_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports that are in use without a reservation are not given either, and reserve nothing."""
    block = random.choice([first for first in BLOCKS if is_free(first)])
    monkeypatch.setattr(free_ports, "BLOCKS", range(block, block + 1, BLOCKS.step))

    with used({block + 3}), pytest.raises(PlatformError, match="No 3 ports"):
        find_free_ports(3)
    assert is_free(block)


def test_variables_are_named_after_owner_and_use() -> None:
    """The name of a variable follows from the port that it moves."""
    assert variable_of("orders", "dapr_http") == "ORDERS_DAPR_HTTP_PORT"


def test_the_offset_that_the_documents_name_fits_beside_the_default_run() -> None:
    """What people copy from the documents collides with no port of the default run."""
    text = (find_checkout() / "docs" / "how-to" / "run-locally.md").read_text(encoding="utf-8")
    named = re.findall(r"ORDERFLOW_PORT_OFFSET=(\d+)", text)

    assert named
    for offset in named:
        assert numbers({"ORDERFLOW_PORT_OFFSET": offset}).isdisjoint(numbers({}))
