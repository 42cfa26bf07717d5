"""Sends requests to services all the time, as users do during a rollout."""

import threading
from types import TracebackType
from typing import Final, Self

import httpx

PAUSE: Final = 0.1


class Probing:
    """Requests each URL a few times per second during a block, on new connections."""

    def __init__(self, urls: list[str], auth: httpx.Auth) -> None:
        self._urls = urls
        self._auth = auth
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(url,)) for url in urls]
        self.answered = dict.fromkeys(urls, 0)
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, url: str) -> None:
        while not self._enough.wait(PAUSE):
            try:
                answer = httpx.get(url, auth=self._auth, timeout=10, trust_env=False)
            except httpx.HTTPError as error:
                self.failures.append(f"{url}: {type(error).__name__} {error}")
            else:
                if answer.is_success:
                    self.answered[url] += 1
                else:
                    self.failures.append(f"{url}: {answer.status_code} {answer.text[:200]}")
