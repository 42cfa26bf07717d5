"""Replays for the `orderflow` command: of files, and of instances in a live engine."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final, Self

from orderflow_workflow_runtime.authoring.tasks import Workflow
from orderflow_workflow_runtime.histories import HistoryUnavailable, NoHistory, Recording
from orderflow_workflow_runtime.recorder import Recorder
from orderflow_workflow_runtime.replay.comparison import replay


class Replays:
    """Replays of one service's workflows, as the `orderflow` command calls them.

    A service offers them under the entry point `orderflow.workflows`. The result of a replay is
    `{"instance_id", "workflow", "events", "fits", "misfit", "where"}`: `misfit` is null or has the
    fields of `Misfit`, and `where` is the same in words.
    """

    Unavailable: Final = HistoryUnavailable
    """What every method may raise; its message is for people."""

    def __init__(self, workflows: Mapping[str, Workflow], sidecar: str) -> None:
        self._workflows = workflows
        self._recorder = Recorder(sidecar)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._recorder.close()

    def record(self, instance_id: str) -> str:
        """Return the history of a live instance, as the content of a file."""
        return self._recorder.record(instance_id).model_dump_json(indent=1) + "\n"

    def file(self, text: bytes, source: str) -> dict[str, Any]:
        """Replay the content of a file."""
        return self._replay(Recording.read(text, source))

    def instance(self, instance_id: str) -> dict[str, Any]:
        """Replay a live instance."""
        result = self._replay(self._recorder.record(instance_id))
        # The engine may have been writing the history: a misfit counts only if it shows up twice.
        return result if result["fits"] else self._replay(self._recorder.record(instance_id))

    def unfinished(self) -> Iterator[dict[str, Any]]:
        """Replay every instance that has started and not finished."""
        for instance_id in self._recorder.unfinished():
            with suppress(NoHistory):  # it has not started, or was purged meanwhile
                yield self.instance(instance_id)

    def _replay(self, recording: Recording) -> dict[str, Any]:
        misfit = replay(recording, self._workflows)
        return {
            "instance_id": recording.instance_id,
            "workflow": recording.workflow,
            "events": len(recording.events),
            "fits": misfit is None,
            "misfit": misfit and {**asdict(misfit), "at": misfit.at.isoformat()},
            "where": str(misfit) if misfit else None,
        }
