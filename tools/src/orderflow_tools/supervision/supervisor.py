"""Starts a command again whenever it dies, until it is asked to stop."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, Final

from orderflow_tools.supervision.command_log import CommandLog
from orderflow_tools.supervision.faults import COMMAND_FAULTS, MACHINE_FAULTS, is_disk_full
from orderflow_tools.supervision.pid_files import PidFiles
from orderflow_tools.supervision.report_file import ReportFile
from orderflow_tools.supervision.signals import describe_end, die_with_parent
from orderflow_tools.supervision.stop_request import StopRequest
from orderflow_tools.supervision.task import Task

QUICK_DEATH: Final = 5.0
"""Seconds within which a death counts as a failure to start."""
MAX_FAILURES: Final = 4
"""How many failures to start in a row show that starting again will not help."""
SETTLED: Final = 10.0
"""Seconds after which a command has shown that it can live; it is then always started again."""
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0

GAVE_UP: Final = 70
"""The exit code when the command does not stay alive."""
NOT_CONFIGURED: Final = os.EX_CONFIG
"""The exit code of a command whose configuration is wrong: another try would not help."""
NOT_STARTED: Final = 127
"""The exit code when the command cannot be started at all."""


def pause_before(deaths: int) -> float:
    """Return the seconds to wait before the start that follows this many deaths in a row."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** max(0, deaths - 1)))


class Supervisor:
    """Keeps one command alive. `lifeline` is a pipe that ends when the starter does."""

    def __init__(self, task: Task, lifeline: int) -> None:
        self._task = task
        self._log = CommandLog(task.log)
        self._pids = PidFiles()
        self._reports = ReportFile(task.name, task.reports_file)
        self._stop_request = StopRequest(lifeline)
        self._mark_child = die_with_parent(signal.SIGKILL)
        self._started = False
        self._settled = False

    def run(self) -> int:
        """Keep the command alive, and return the exit code for this process."""
        self._log.rotate()
        self._pids.add(self._task.keeper_file, os.getpid())
        try:
            return self._supervise()
        finally:
            self._pids.remove(self._task.keeper_file)

    def _supervise(self) -> int:
        failed_starts = quick_deaths = deaths = 0
        ending = ""
        while not self._stop_request.is_made():
            begun = time.monotonic()
            try:
                child = self._start()
            except MACHINE_FAULTS as error:
                failed_starts += 1
                deaths += 1
                if self._is_unstartable(error, failed_starts):
                    return NOT_STARTED
                self._stop_request.sleep(pause_before(deaths))
                continue
            failed_starts = 0
            if ending:
                text = f"{ending}; started again as process {child.pid}"
                self._reports.report("restarted", text)
            code = self._wait_for(child)
            if self._stop_request.is_made():
                return 0
            lived, ending = time.monotonic() - begun, describe_end(code)
            if code == NOT_CONFIGURED and not self._settled:
                text = "does not start because its configuration is wrong"
                self._reports.report("gave_up", text, self._log.tail())
                return GAVE_UP
            self._settled = self._settled or lived >= SETTLED
            deaths = 1 if lived >= SETTLED else deaths + 1
            # If somebody killed it, that does not show whether the command can start.
            outside = -code in (signal.SIGKILL, signal.SIGTERM)
            quick_deaths = quick_deaths + 1 if lived < QUICK_DEATH and not outside else 0
            is_failing = quick_deaths and quick_deaths % MAX_FAILURES == 0
            if is_failing and self._give_up(ending, quick_deaths):
                return GAVE_UP
            self._stop_request.sleep(pause_before(deaths))
        return 0

    def _is_unstartable(self, error: Exception, failed_starts: int) -> bool:
        """Report that a start has failed, and return whether trying again is useless."""
        number = error.errno if isinstance(error, OSError) else None
        is_wrong = number in COMMAND_FAULTS and not self._started
        text = f"cannot be started: {error}"
        if is_wrong and failed_starts >= MAX_FAILURES and self._reports.report_end(text):
            return True
        if not is_wrong and failed_starts % MAX_FAILURES == 1:
            self._reports.report("failing", f"cannot be started: {error!r}; will be tried again")
        return False

    def _give_up(self, ending: str, quick_deaths: int) -> bool:
        """Report that the command keeps dying; return whether to give it up.

        It is tried again if it has ever settled, or if the disk is full, which is not its fault.
        """
        text = f"{ending}, {quick_deaths} times in a row within {QUICK_DEATH:.0f} s of its start"
        tail = self._log.tail()
        is_hopeless = not self._settled and not is_disk_full(self._task.home)
        if is_hopeless and self._reports.report_end(f"does not start: {text}", tail):
            return True
        self._reports.report("failing", f"{text}; will be tried again", tail)
        return False

    def _start(self) -> "subprocess.Popen[bytes]":
        self._write_missing()
        with self._open_log() as log:
            child = subprocess.Popen(
                self._task.command,
                cwd=self._task.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=self._mark_child,  # noqa: PLW1509 - this process has one thread
            )
        self._started = True
        self._pids.add(self._task.pid_file, child.pid)
        self._write_missing()
        return child

    def _open_log(self) -> IO[bytes]:
        """Open the log; where that fails, run without one, which is better than not running."""
        try:
            return self._log.open()
        except OSError as error:
            self._reports.report("failing", f"has no log: {error}")
            return Path(os.devnull).open("ab")

    def _write_missing(self) -> None:
        """Write the process ids and reports that could not be written before, or were removed."""
        self._pids.write_missing()
        self._reports.write_pending()

    def _wait_for(self, child: "subprocess.Popen[bytes]") -> int:
        """Return the child's return code; stop it when this process is asked to stop."""
        try:
            while (code := child.poll()) is None:
                self._stop_request.wait(LONGEST_PAUSE)
                if self._stop_request.is_made():
                    return self._stop(child)
                self._write_missing()
            return code
        finally:
            self._pids.remove(self._task.pid_file)

    def _stop(self, child: "subprocess.Popen[bytes]") -> int:
        child.terminate()
        try:
            code = child.wait(self._task.grace)
        except subprocess.TimeoutExpired:
            text = f"did not end within {self._task.grace:.0f} s and was killed"
            self._reports.report("killed", text)
            child.kill()
            code = child.wait()
        # Whatever the command has started and left in its group ends with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        return code
