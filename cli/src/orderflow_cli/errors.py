"""What can go wrong between the command and the services, in words for a person."""


class OrderflowError(Exception):
    """Something failed; the message is a sentence that names the thing and the remedy."""


class ServiceUnreachable(OrderflowError):
    """A service does not answer at its address, or not in time."""


class Refusal(OrderflowError):
    """A service answered that it will not or can not; `status` is HTTP's, `code` is stable.

    A remedy is what whoever reads it may do.
    """

    def __init__(self, service: str, status: int, code: str, detail: str, remedy: str = "") -> None:
        told = f"{service}: {detail} ({code})" if code else f"{service}: {detail}"
        super().__init__(f"{told} - {remedy}" if remedy else told)
        self.service = service
        self.status = status
        self.code = code
        self.detail = detail


class NotInTime(OrderflowError):
    """An order did not come as far as was waited for."""
