"""Commands about tasks."""

import json
import re

import pytest

from fakes.command import Run
from fakes.shop import NOW, Shop

pytestmark = pytest.mark.usefixtures("settings")


@pytest.fixture(autouse=True)
def two_tasks(shop: Shop) -> None:
    for task_id in ("pick-a", "pick-b"):
        shop.tasks[task_id] = {
            "task_id": task_id,
            "instance_id": f"pick.{task_id[-1]}",
            "title": "Pick 2 cars\x1b[31m",
            "assignee": "ann",
            "order_id": task_id[-1],
            "status": "assigned",
            "created_at": NOW,
            "updated_at": NOW,
            "completed_at": None,
        }


def test_tasks_are_listed(run: Run) -> None:
    """The list shows assignees and titles."""
    outcome = run("tasks", "--status", "assigned")

    assert re.search(r"pick-a +assigned +ann +Pick 2 cars", outcome.out)
    assert "\x1b" not in outcome.out
    assert [task["task_id"] for task in json.loads(run("tasks", "--json").out)] == [
        "pick-a",
        "pick-b",
    ]


def test_an_empty_list_says_so(run: Run, shop: Shop) -> None:
    """An empty list prints a sentence."""
    shop.tasks.clear()

    assert run("tasks").out == "No matching tasks.\n"


def test_a_task_is_shown(run: Run) -> None:
    """The output includes the task's order and workflow."""
    outcome = run("tasks", "show", "pick-a")

    assert re.search(r"workflow +pick\.a", outcome.out)
    assert json.loads(run("tasks", "show", "pick-a", "--json").out)["order_id"] == "a"


def test_tasks_are_completed(run: Run, shop: Shop) -> None:
    """Several tasks can be completed with one command."""
    outcome = run("tasks", "complete", "pick-a", "pick-b")

    assert (outcome.code, len(outcome.lines)) == (0, 2)
    assert [task["status"] for task in shop.tasks.values()] == ["completed", "completed"]
    assert re.search(r"completed +2026", run("tasks", "show", "pick-b").out)


@pytest.mark.parametrize("command", ["show", "complete"])
def test_an_unknown_task_is_reported(run: Run, command: str) -> None:
    """The service's error is printed, with exit code 1."""
    outcome = run("tasks", command, "nobody")

    assert outcome.err == "orderflow: orders: there is no task nobody (TASK_NOT_FOUND)\n"
    assert outcome.code == 1


@pytest.mark.parametrize("task_id", ["../orders", "a b", "x" * 81])
def test_an_invalid_task_id_is_rejected(run: Run, task_id: str) -> None:
    """It could lead to another path of the service."""
    assert "is not a valid task ID" in run("tasks", "show", task_id).err
