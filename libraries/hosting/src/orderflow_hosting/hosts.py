"""Host names with their ports, parsed the same way from settings and from requests."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Self

import idna

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
LOOPBACK_NAMES: Final = frozenset({"localhost", "ip6-localhost", "ip6-loopback"})
LONGEST_NAME: Final = 253
LONGEST_TEXT: Final = 300
HIGHEST_PORT: Final = 65535

_PARTS: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s:/?#@\[\]\\%]+))(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


class NotAHost(ValueError):
    """This text is not the name or address of a host, with or without a port."""


@dataclass(frozen=True)
class Host:
    """A host as browsers write it: lower case, punycode, IPv6 without brackets; and its port."""

    name: str
    port: int | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `name`, `name:port`, an IPv4 or an IPv6 address. Raises `NotAHost`."""
        if len(text) > LONGEST_TEXT:
            raise NotAHost("a host name cannot be that long")
        if text.count(":") > 1 and not text.startswith("["):
            text = f"[{text}]"  # an IPv6 address without its brackets
        parts = _PARTS.fullmatch(text)
        if parts is None:
            raise NotAHost(
                f"{text!r} is not a host, such as shop.example, shop.example:8443 or ::1"
            )
        port = int(parts["port"]) if parts["port"] else None
        if port is not None and port > HIGHEST_PORT:
            raise NotAHost(f"{text!r} has a port above {HIGHEST_PORT}")
        return cls(_address(parts["v6"]) if parts["v6"] else _name(parts["name"]), port)

    @classmethod
    def of_origin(cls, origin: str) -> Self:
        """Read an HTTP origin, with the port that its scheme implies. Raises `NotAHost`."""
        scheme, _, rest = origin.partition("://")
        default = DEFAULT_PORTS.get(scheme.lower())
        if default is None:
            raise NotAHost(f"{origin!r} is not the origin of a page")
        host = cls.read(rest)
        return cls(host.name, host.port or default)

    @property
    def is_loopback(self) -> bool:
        """Whether this is a loopback host, which no other machine can reach."""
        if self.name in LOOPBACK_NAMES:
            return True
        try:
            return ipaddress.ip_address(self.name).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """Write the host as a browser does."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise NotAHost(f"{text!r} is not an IPv6 address") from None


def _name(text: str) -> str:
    """Write a name as browsers send it; one that ends in a number must be an IPv4 address."""
    name = text.lower() if text.isascii() else _punycode(text)
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise NotAHost(f"{text!r} is not the name of a host")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise NotAHost(f"{text!r} is not an IPv4 address such as 192.0.2.1") from None
    if any(label.startswith("xn--") for label in labels):
        _check_punycode(text, name)
    return name


def _punycode(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        raise NotAHost(f"{text!r} is not a name that browsers can use") from None


def _check_punycode(text: str, name: str) -> None:
    try:
        idna.decode(name)
    except (idna.IDNAError, UnicodeError):
        raise NotAHost(f"{text!r} is not a name that browsers can use") from None
