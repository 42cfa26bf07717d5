import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ValidationError

from orderflow_hosting import problems
from orderflow_hosting.database import DatabaseUnavailable
from orderflow_hosting.problems import FieldError, Problem, describe, invalid_input


class Line(BaseModel):
    """A line."""

    quantity: int


class Body(BaseModel):
    """A body with lines."""

    name: str
    lines: list[Line]


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI()
    problems.install(app)

    @app.post("/things")
    async def make(_: Body) -> None:
        raise Problem(409, "THING_EXISTS", "there is one already")

    @app.get("/things")
    async def fail(limit: int) -> None:
        raise RuntimeError(f"a secret: {limit}")

    @app.get("/stored")
    async def read() -> None:
        raise DatabaseUnavailable("a secret of the server")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service")


async def test_a_problem_becomes_a_document(client: httpx.AsyncClient) -> None:
    """An expected failure is a problem document (RFC 9457) with its code."""
    response = await client.post("/things", json={"name": "x", "lines": []})

    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Thing exists",
        "status": 409,
        "detail": "there is one already",
        "code": "THING_EXISTS",
    }


async def test_invalid_input_names_each_field(client: httpx.AsyncClient) -> None:
    """One answer names every invalid field with its location."""
    response = await client.post("/things", json={"lines": [{"quantity": 1}, {"quantity": "x"}]})

    assert (response.status_code, response.json()["code"]) == (422, "INVALID_INPUT")
    fields = [error["field"] for error in response.json()["errors"]]
    assert fields == ["name", "lines.1.quantity"]
    assert "lines.1.quantity" in response.json()["detail"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
async def test_an_unreadable_body_is_named(client: httpx.AsyncClient, content: str) -> None:
    """Without a field to name, the problem names the body."""
    response = await client.post(
        "/things", content=content, headers={"content-type": "application/json"}
    )

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["body"]


async def test_an_invalid_query_names_its_parameter(client: httpx.AsyncClient) -> None:
    """The name is the one in the URL."""
    response = await client.get("/things?limit=x")

    assert [error["field"] for error in response.json()["errors"]] == ["limit"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "NOT_FOUND"), ("PUT", "/things", 405, "METHOD_NOT_ALLOWED")],
)
async def test_unknown_paths_and_methods_are_problems_too(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """The framework's own errors have the same format."""
    response = await client.request(method, path)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"


async def test_an_unexpected_failure_reveals_nothing(client: httpx.AsyncClient) -> None:
    """An unforeseen error is a 500; its cause is in the log only."""
    response = await client.get("/things?limit=1")

    assert (response.status_code, response.json()["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in response.text


def test_validation_errors_fit_in_one_line() -> None:
    """A dead letter's reason names the fields, and repeats no input."""
    with pytest.raises(ValidationError) as error:
        Body.model_validate({"name": 5, "lines": "a secret"})

    assert "name: " in describe(error.value)
    assert "lines: " in describe(error.value)
    assert "secret" not in describe(error.value)


def test_only_the_first_of_many_invalid_fields_are_named() -> None:
    """A reason stays short, however many fields are invalid."""
    with pytest.raises(ValidationError) as error:
        Body.model_validate({"name": "n", "lines": [{}] * 100_000})

    problem = invalid_input(error.value.errors())
    assert problem.detail.startswith("lines.0.quantity: Field required; lines.1.quantity: ")
    assert problem.detail.endswith("lines.19.quantity: Field required; and 99,980 more")
    assert len(problem.errors) == 20


def test_a_problem_has_a_grpc_code() -> None:
    """Other services get the same meaning by gRPC."""
    problem = Problem(404, "X", "y", [FieldError(field="a", message="b")])

    assert problem.grpc_code.name == "NOT_FOUND"
    assert invalid_input([]).grpc_code.name == "INVALID_ARGUMENT"
    assert Problem(418, "X", "y").grpc_code.name == "UNKNOWN"


async def test_an_unavailable_database_is_a_503(client: httpx.AsyncClient) -> None:
    """The answer asks to retry later, and repeats nothing of the database's message."""
    response = await client.get("/stored")

    assert response.status_code == 503
    assert response.json()["code"] == "STORE_UNAVAILABLE"
    assert "secret" not in response.text
