"""The same environment for the tests and everything they start, on every machine.

What a user has set for a run of their own must not reach a test: variables, language and time
zone, the folder of the run with its token, the files of the home folder, ignored signals. Of the
variables, only those named here pass. What a test needs besides, it sets itself. Caches stay those
of the user, so that nothing is built or fetched twice; what fetches or installs something runs
`on_the_machine`.
"""

import locale
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MACHINE: Final = dict(os.environ)
"""The variables that were set where the tests were started; a worker of theirs is told them."""

PASSED: Final = frozenset(
    {
        *("PATH", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "VIRTUAL_ENV", "CI", "PY_COLORS"),
        *("XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "KUBECONFIG", "JAVA_HOME"),
        *("GOCACHE", "GOENV", "GOFLAGS", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB"),
        *("GOPATH", "GOPRIVATE", "GOPROXY", "GOROOT", "GOSUMDB", "GOTOOLCHAIN", "GOVCS"),
        *("ORDERFLOW_BROWSER", "ORDERFLOW_KUBECTL", "ORDERFLOW_SCREENSHOTS"),
    }
)
PASSED_PREFIXES: Final = (
    *("DOCKER_", "CONTAINER_", "LD_", "DYLD_", "PYTEST_", "HYPOTHESIS_", "COVERAGE_"),
    *("PIP_", "UV_", "NPM_CONFIG_", "npm_config_", "PLAYWRIGHT_"),
)
OF_THE_MACHINE: Final = (
    *("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "NIX_SSL_CERT_FILE"),
)
"""Variables of the machine's network and its user's settings."""
LOCALE: Final = "C.UTF-8"


def environment(machine: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the variables for the tests, with a separate home folder."""
    passed = {
        name: value
        for name, value in machine.items()
        if name in PASSED or name.startswith(PASSED_PREFIXES)
    }
    return {
        **_caches(machine),
        **passed,
        "HOME": str(folder / "home"),
        "ORDERFLOW_HOME": str(folder / "orderflow"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": LOCALE,
        "TZ": "UTC",
        "COLUMNS": "80",
        "LINES": "24",
    }


def isolate() -> Path:
    """Set that environment for this process and all that it starts; return the home folder."""
    folder = Path(tempfile.mkdtemp(prefix="orderflow-tests-"))
    (folder / "home").mkdir()
    made = environment(MACHINE, folder)
    os.environ.clear()
    os.environ.update(made)
    os.umask(0o022)
    for number in (signal.SIGINT, signal.SIGHUP):
        # Under nohup, or in the background of a script, it is ignored. So it stays here, but what
        # is started by tests does not inherit that: a handler does not survive `exec`.
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    time.tzset()
    locale.setlocale(locale.LC_ALL, LOCALE)
    return folder


def remember(machine: Mapping[str, str]) -> None:
    """Take over what was set where the tests were started: this worker has seen only their own."""
    MACHINE.clear()
    MACHINE.update(machine)


def remove(folder: Path) -> None:
    """Remove the tests' home folder."""
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def on_the_machine() -> Iterator[None]:
    """Use the machine's proxies, certificates and home, to fetch or install programs."""
    before = {name: os.environ.pop(name, None) for name in OF_THE_MACHINE}
    os.environ.update({name: MACHINE[name] for name in OF_THE_MACHINE if name in MACHINE})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _caches(machine: Mapping[str, str]) -> dict[str, str]:
    """Return the cache folders in the user's home, whose content should not be made again."""
    home = Path(machine["HOME"]) if machine.get("HOME") else Path.home()
    config = Path(machine.get("XDG_CONFIG_HOME") or home / ".config")
    caches = {
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GOPATH": str(home / "go"),
        "GOENV": str(config / "go" / "env"),
    }
    dapr = Path(machine.get("DAPR_RUNTIME_PATH") or home)
    if (dapr / ".dapr" / "bin" / "daprd").exists():
        caches["DAPR_RUNTIME_PATH"] = str(dapr)
    return caches
