"""The filter of a list of dead letters, as it is typed into a form or stands in a link."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlencode

from fastapi import Request

from orderflow_hosting.dead_letters import Wanted
from orderflow_hosting.refused_forms import refused_form
from orderflow_hosting.web.local_time import Period, read_period

DEFAULT: Final = "waiting"
SHOWN: Final[Mapping[str, str]] = {
    "waiting": "Waiting",
    "resent": "Resent",
    "discarded": "Discarded",
    "all": "All",
}
"""The states that can be shown, each with its label."""

_TYPED: Final = ("topic", "reason", "q", "since", "until", "zone")
_LONGEST: Final = 200


@dataclass(frozen=True)
class Filter:
    """Which dead letters are shown: a state, and what was typed, with what is wrong with it."""

    show: str
    typed: Mapping[str, str]
    wanted: Wanted
    period: Period = field(default_factory=Period)
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """Read a filter from the fields of a form; other fields are ignored."""
        errors: dict[str, str] = {}
        show = given.get("show", DEFAULT)
        if show not in SHOWN:
            show = DEFAULT
        typed = {name: given.get(name, "").strip().replace("\0", "") for name in _TYPED}
        for name in ("topic", "reason", "q"):
            if len(typed[name]) > _LONGEST:
                errors[name] = f"At most {_LONGEST} characters."
        period = read_period(typed, errors, "Write a time as 2026-12-31 or 2026-12-31T23:59.")
        wanted = Wanted(
            state=None if show == "all" else show,  # type: ignore[arg-type] # it is one of them
            topic=typed["topic"] or None,
            reason=typed["reason"] or None,
            text=typed["q"] or None,
            received_from=period.since,
            received_before=period.before,
        )
        return cls(show, typed, wanted, period, errors)

    @classmethod
    def of(cls, request: Request, action: str) -> Self:
        """Read the filter of a page, or of a form to `action` that is shown again."""
        refused = refused_form(request)
        sent = refused.by_name if refused.action == action else {}
        return cls.read(request.query_params or {name: texts[0] for name, texts in sent.items()})

    @property
    def is_filtered(self) -> bool:
        """Whether anything was typed."""
        return any(self.typed.values())

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields of links and hidden fields that keep this filter."""
        return {"show": self.show, **{name: text for name, text in self.typed.items() if text}}

    def url(self, path: str, **changes: str | int | None) -> str:
        """Return a URL that keeps this filter, with some fields added or replaced."""
        fields = {**self.fields, **changes}
        given = {name: value for name, value in fields.items() if value is not None}
        if given.get("show") == DEFAULT and len(given) == 1:
            return path
        return f"{path}?{urlencode(given)}"
