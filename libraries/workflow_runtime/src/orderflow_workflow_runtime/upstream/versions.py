"""The versions of Dapr and its SDK that have a fault, and so need its workaround.

A workaround that presupposes how the faulty version behaves asks here, and is off above the version
that it names. One that acts only when the fault shows itself, or that is right with every version,
has no switch.
"""

import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

SDK_VERSION: Final = version("dapr")

_NUMBERS: Final = re.compile(r"v?(\d+)\.(\d+)\b")


@dataclass(frozen=True)
class Fault:
    """A fault, and the newest minor version, such as 1.18, with which it was seen.

    All patch releases of that version count as faulty. So does a version that cannot be read, such
    as `unknown` or `edge`: Orderflow is tested with the faulty one, and built with it.
    """

    newest: str

    def is_in(self, found: str | None) -> bool:
        """Whether the version found may have the fault."""
        numbers = _minor(found or "")
        return numbers is None or numbers <= (_minor(self.newest) or numbers)


def _minor(text: str) -> tuple[int, int] | None:
    read = _NUMBERS.match(text)
    return (int(read[1]), int(read[2])) if read else None
