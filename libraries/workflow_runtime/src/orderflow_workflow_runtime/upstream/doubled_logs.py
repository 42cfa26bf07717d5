"""Keeps the SDK's log lines from being written twice.

Upstream: not reported as of 2026-11.

Versions: SDK 1.19.0 (`dapr.ext.workflow.logger`), with any Dapr.

Above: harmless. The lines are written once in any case.

How it shows: the SDK gives its loggers handlers of their own and lets them propagate, so each line
is written by the SDK, and again by the handlers of the service.

Delete when: `tests/unit/workflow_runtime/test_doubled_logs.py` fails because the SDK leaves the
handlers to the application.
"""

import logging

from dapr.ext.workflow.logger import LoggerOptions


def logged_once() -> LoggerOptions:
    """Return options for the SDK's worker with which only the service's handlers write."""
    return LoggerOptions("WARNING", logging.NullHandler())
