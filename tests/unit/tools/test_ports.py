import socket

import pytest

from orderflow_tools.errors import PlatformError
from orderflow_tools.ports import Ports, is_free, variable_of


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
    """A run never gets in its own way."""
    ports = [port for _, port in Ports.from_environment({}).by_variable()]

    assert len(set(ports)) == len(ports)


def test_an_offset_moves_every_port() -> None:
    """ORDERFLOW_PORT_OFFSET is added to every default."""
    default = dict(Ports.from_environment({}).by_variable())

    moved = dict(Ports.from_environment({"ORDERFLOW_PORT_OFFSET": "100"}).by_variable())

    assert moved == {variable: port + 100 for variable, port in default.items()}


def test_each_port_moves_singly_by_its_own_variable() -> None:
    """A single variable wins over the offset, and moves nothing else."""
    default = dict(Ports.from_environment({}).by_variable())

    for variable in default:
        moved = dict(Ports.from_environment({variable: "1234"}).by_variable())

        assert moved == {**default, variable: 1234}


def test_a_port_that_is_no_number_is_named() -> None:
    """The error says which variable is wrong, and what it holds."""
    with pytest.raises(PlatformError, match=r"ORDERS_HTTP_PORT must be a whole number.*'eighty'"):
        Ports.from_environment({"ORDERS_HTTP_PORT": "eighty"})


def test_a_port_in_use_is_named_with_its_user_and_the_remedy() -> None:
    """Whoever reads the error knows which port, who has it, and which variable moves it."""
    ports = Ports.free_block()
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports.apps["orders"].http))
        other.listen()

        with pytest.raises(PlatformError) as caught:
            ports.check()

    assert f"Port {ports.apps['orders'].http} (ORDERS_HTTP_PORT) is in use by" in str(caught.value)
    assert "ORDERFLOW_PORT_OFFSET" in str(caught.value)


def test_two_equal_ports_are_refused() -> None:
    """Two variables that name one port are both named in the error."""
    ports = Ports.from_environment({"ORDERS_HTTP_PORT": "7001"})

    with pytest.raises(PlatformError, match=r"ORDERS_HTTP_PORT and ORDERS_GRPC_PORT are both 7001"):
        ports.check()


def test_a_free_block_is_free() -> None:
    """The ports for a run beside others are free when they are handed out."""
    assert all(is_free(port) for _, port in Ports.free_block().by_variable())


def test_variables_are_named_after_owner_and_use() -> None:
    """The name of a variable follows from what it moves."""
    assert variable_of("orders", "dapr_http") == "ORDERS_DAPR_HTTP_PORT"
