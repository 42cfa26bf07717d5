"""Errors between the command and the services, with readable messages."""


class OrderflowError(Exception):
    """Something failed; the message says what failed and how to fix it."""


class ServiceUnreachable(OrderflowError):
    """A service cannot be reached, or did not answer in time."""


class RequestRejected(OrderflowError):
    """A service answered with an error: its HTTP `status` and a stable `code`.

    `remedy` says what the reader can do about it.
    """

    def __init__(self, service: str, status: int, code: str, detail: str, remedy: str = "") -> None:
        message = f"{service}: {detail} ({code})" if code else f"{service}: {detail}"
        super().__init__(f"{message} - {remedy}" if remedy else message)
        self.service = service
        self.status = status
        self.code = code
        self.detail = detail


class WaitTimedOut(OrderflowError):
    """An order did not reach the expected status in time."""
