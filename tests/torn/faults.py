"""The kinds of fault under which torn histories are looked for."""

from dataclasses import asdict, dataclass
from typing import Final, Self

STOP_FILE: Final = "faults-over"
"""A file in the folder of the run; once it exists, there are no more faults."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to the service orders; times are in seconds.

    `late` is the longest delay of a worker's answer on its way to the sidecar, and `share` the
    share of the answers that are delayed. `step` is the longest delay of an activity. The health
    check fails for `unwell` and succeeds for `well`, again and again. Orders is killed every `kill`
    seconds, or later if it has done little since. `sidecars` is the share of the kills that hit its
    sidecar instead.
    """

    late: float = 0
    share: float = 1
    step: float = 0
    unwell: float = 0
    well: float = 0
    kill: float = 0
    sidecars: float = 0

    def arguments(self) -> list[str]:
        """Return the fault as arguments of a command."""
        return [f"{name}={value}" for name, value in asdict(self).items()]

    @classmethod
    def of(cls, arguments: list[str]) -> Self:
        """Read a fault from the arguments of a command."""
        return cls(
            **{name: float(value) for name, _, value in (a.partition("=") for a in arguments)}
        )


FAULTS: Final = {
    "none": Fault(),
    "flapping": Fault(unwell=3.3, well=1.2, late=1.5, share=0.4),
    "flapping-brief": Fault(unwell=3.3, well=1.2, late=0.1),
    "kills": Fault(kill=9, late=1.5, share=0.4),
    "kills-brief": Fault(kill=9, late=0.3),
    "kills-both": Fault(kill=4, late=1.5, share=0.4, sidecars=0.5),
    "slow": Fault(unwell=3.3, well=1.2, late=1.9, step=6),
}
