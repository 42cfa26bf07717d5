"""Forms that were refused: what was typed is preserved until the person can submit it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote_plus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from orderflow_hosting.local_paths import local_path, quoted

NEVER_CARRIED: Final = frozenset({"csrf", "password", "next", "refused"})
NOT_TYPED: Final = frozenset({"key", "place", "settled", "show", "shown", "total_cents"})
MAX_BYTES: Final = 900_000
"""The longest form that the sign-in page carries, below the limit of request bodies."""
MAX_FIELDS: Final = 500


@dataclass(frozen=True)
class RefusedForm:
    """Where a form was sent, and its fields without passwords and CSRF tokens.

    One that is too long to be carried has no fields.
    """

    action: str
    fields: Sequence[tuple[str, str]] = ()
    is_too_long: bool = False

    @classmethod
    async def of(cls, request: Request) -> "RefusedForm | None":
        """Read the form that a browser sent; None for any other body."""
        if request.method != "POST" or "form" not in request.headers.get("content-type", ""):
            return None
        try:
            sent = (await request.form()).multi_items()
        except (HTTPException, ClientDisconnect, RuntimeError):
            return cls(quoted(request.scope["path"]), is_too_long=True)
        fields = [
            (name, value)
            for name, value in sent
            if isinstance(value, str) and name not in NEVER_CARRIED
        ]
        form = cls(quoted(request.scope["path"]), fields)
        if len(fields) > MAX_FIELDS or len(quote_plus(form.dump())) > MAX_BYTES:
            return cls(form.action, is_too_long=True)
        return form

    @classmethod
    def load(cls, text: str) -> Self | None:
        """Read what `dump` wrote; None for anything else."""
        try:
            action, fields, is_too_long = json.loads(text)
            read = [(name, value) for name, value in fields if name not in NEVER_CARRIED]
            "".join((action, *(part for field in read for part in field))).encode()
        except (ValueError, TypeError, RecursionError):
            return None
        if local_path(action) != action:
            return None
        return cls(action, read, bool(is_too_long))

    def dump(self) -> str:
        """Write it as JSON for a hidden field, in which line ends stay as they are."""
        return json.dumps([self.action, self.fields, self.is_too_long], ensure_ascii=False)

    def value(self, action: str, name: str) -> str:
        """Return what was typed into a field, if this form was sent to `action`."""
        return next(iter(self.values(action, name)), "")

    def values(self, action: str, name: str) -> list[str]:
        """Return all values of a field, such as selected boxes."""
        return self.by_name.get(name, []) if action == self.action else []

    @property
    def by_name(self) -> Mapping[str, list[str]]:
        """All fields, each with its values."""
        found: dict[str, list[str]] = {}
        for name, value in self.fields:
            found.setdefault(name, []).append(value)
        return found

    @property
    def typed(self) -> list[tuple[str, str]]:
        """The fields that a person filled in."""
        return [
            (name, value) for name, value in self.fields if value.strip() and name not in NOT_TYPED
        ]


NONE: Final = RefusedForm("")


def refused_form(request: Request) -> RefusedForm:
    """Return the form whose page is shown again, or one without fields."""
    return getattr(request.state, "refused", None) or NONE
