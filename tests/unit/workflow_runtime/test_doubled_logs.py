"""The SDK's log lines are written once."""

import io
import logging

from dapr.ext.workflow.logger import Logger, LoggerOptions

from orderflow_workflow_runtime.upstream.doubled_logs import logged_once


def lines(name: str, options: LoggerOptions | None) -> int:
    """Return how often a line of the SDK's is written if the service writes logs, too."""
    written = io.StringIO()
    ours = logging.StreamHandler(written)
    logging.getLogger().addHandler(ours)
    sdk = Logger(name, options)
    for handler in logging.getLogger(name).handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(written)
    sdk.warning("a line")
    logging.getLogger().removeHandler(ours)
    return written.getvalue().count("a line")


def test_the_sdk_writes_a_line_once_with_our_options() -> None:
    """If it does so with its own, upstream/doubled_logs.py can be deleted."""
    assert lines("as-the-sdk-does", None) == 2, "delete upstream/doubled_logs.py and this test"
    assert lines("as-we-do", logged_once()) == 1
