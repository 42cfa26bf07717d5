"""Logs: one line per event with its name and fields, as JSON or as plain text."""

import io
import logging
import os
import sys
from typing import Any, Final, TextIO

import structlog

from orderflow_hosting.settings import ProcessSettings, printable

LIBRARIES: Final = ("orderflow_hosting", "orderflow_workflow_runtime")
"""Packages that log at the service's level; all others log only warnings."""


def configure(service: str, settings: ProcessSettings) -> None:
    """Send structured logs, and those of libraries, to standard output."""
    console = settings.log_format == "console" or (
        settings.log_format == "auto" and sys.stdout.isatty()
    )
    level = logging.getLevelNamesMapping()[settings.log_level]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if not console:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    rendering: list[structlog.typing.Processor] = (
        [_cleaned, _console_renderer()] if console else [structlog.processors.JSONRenderer()]
    )
    if isinstance(sys.stdout, io.TextIOWrapper):  # if its encoding lacks a character
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.raiseExceptions = False  # a closed standard output is not an error
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    for package in (service, *LIBRARIES):
        logging.getLogger(package).setLevel(level)
    structlog.contextvars.bind_contextvars(service=service)


def _console_renderer() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty() and os.environ.get("TERM") != "dumb",
        exception_formatter=_plain_traceback,
    )


def _cleaned(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace characters that could control a terminal: the texts may come from outside."""
    return {
        key: printable(value) if isinstance(value, str) else value for key, value in event.items()
    }


def _plain_traceback(output: TextIO, exception: structlog.typing.ExcInfo) -> None:
    text = io.StringIO()
    structlog.dev.plain_traceback(text, exception)
    output.write("\n".join(map(printable, text.getvalue().split("\n"))))
