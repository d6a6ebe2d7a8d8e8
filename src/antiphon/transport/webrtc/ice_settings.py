"""Which of this machine's addresses, ports and servers are used for calls, as its operator wants it; the sockets for them."""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import socket
from collections.abc import Sequence

import ifaddr
import msgspec

from antiphon.errors import ConfigurationError
from antiphon.transport.webrtc.ice_servers import IceServer, server_addresses

_MOST_ADDRESSES = 16
_MOST_TRIES = 256
_SOCKET_BUFFER = 1 << 18


class IceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``servers``: as a browser's ``iceServers``. ``loopback``: offer 127.0.0.1 and ::1 as well. ``ports``: first and last UDP port
    to use (none: the system chooses). ``public_address``: this machine's address as seen from outside, where a
    1:1 NAT hides it. ``relay_only``: talk through TURN servers only. ``ipv6``: use IPv6 too."""

    servers: tuple[IceServer, ...] = ()
    loopback: bool = False
    ports: tuple[int, int] | None = None
    public_address: str = ""
    relay_only: bool = False
    ipv6: bool = True

    def __post_init__(self) -> None:
        """Raises ``ConfigurationError`` for what cannot be meant."""
        server_addresses(self.servers)
        if self.ports is not None and not 1024 <= self.ports[0] <= self.ports[1] <= 65535:
            raise ConfigurationError(
                f"There are no UDP ports from {self.ports[0]} to {self.ports[1]}.",
                hint="First and last, 1024 to 65535.",
            )
        if self.public_address:
            try:
                ipaddress.ip_address(self.public_address)
            except ValueError as error:
                raise ConfigurationError(f"The public address is no IP address: {self.public_address!r}.") from error


def host_addresses(settings: IceSettings) -> list[str]:
    """This machine's addresses that a peer may reach; loopback last."""
    found: list[str] = []
    loopback: list[str] = []
    for adapter in ifaddr.get_adapters():
        for each in adapter.ips:
            text = each.ip if isinstance(each.ip, str) else each.ip[0]
            address = ipaddress.ip_address(text.partition("%")[0])
            if address.version == 6 and not settings.ipv6:
                continue
            if address.is_loopback:
                loopback.append(text)
            elif not address.is_link_local:
                found.append(text)
    usual = [text for text in ("127.0.0.1", "::1") if text in loopback]
    return list(dict.fromkeys(found))[:_MOST_ADDRESSES] + (usual if settings.loopback else [])


def open_socket(address: str, ports: tuple[int, int] | None) -> socket.socket:
    """A UDP socket on one of the ports. Raises ``OSError`` when none is free."""
    for port in _tries(ports):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((address, port))
        except OSError:
            sock.close()
            continue
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
        return sock
    raise OSError(f"No UDP port is free on {address}.")


def _tries(limits: tuple[int, int] | None) -> Sequence[int]:
    """From anywhere in the range, so that calls do not fight for its first ports."""
    if limits is None:
        return (0,)
    first, last = limits
    size = last - first + 1
    start = secrets.randbelow(size)
    return [first + (start + step) % size for step in range(min(size, _MOST_TRIES))]
