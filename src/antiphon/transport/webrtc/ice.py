"""ICE (RFC 8445, 8838, 7675): which path packets take to the peer and back, on aioice's agent.

Differs from aioice in this: sockets are ours (port range, loopback, sent on from any thread); candidates of servers come
later than the answer; packets of strangers are dropped and counted; consent is asked for every second, a path that stays
silent is left for another that works. Servers come from the settings only. Lives in the network's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import Callable, Sequence
from typing import Any, cast

from aioice import stun
from aioice.candidate import Candidate
from aioice.ice import (
    CandidatePair,
    Connection,
    StunProtocol,
    relayed_candidate,
    server_reflexive_candidate,
)

from antiphon.transport.webrtc.candidates import (
    COMPONENT,
    candidate_line,
    host_candidate,
    public_candidate,
    reaches_out,
)
from antiphon.transport.webrtc.demux import protocol
from antiphon.transport.webrtc.ice_servers import StunServer, TurnServer, server_addresses
from antiphon.transport.webrtc.ice_settings import IceSettings, host_addresses, open_socket
from antiphon.transport.webrtc.udp import Datagram, UdpTransport

GATHER_WITHIN = 5.0
CONSENT_EVERY = 1.0
EXPIRES_AFTER = 30.0
"""Seconds without an answer after which nothing more may be sent (RFC 7675)."""

_MOST_PAIRS = 128
_CLOSE_WITHIN = 0.5

Address = tuple[str, int]


class IceTransport(Connection):
    """The path to one peer. ``on_packet`` gets what is not STUN, from the peer only. ``on_candidate`` gets
    candidates found after ``gather``, then ``None``. ``now``: the clock. Counts: ``strangers`` and ``malformed`` packets."""

    def __init__(
        self,
        settings: IceSettings,
        *,
        on_packet: Callable[[bytes], None],
        on_candidate: Callable[[str | None], None],
        now: Callable[[], float],
    ) -> None:
        super().__init__(ice_controlling=False)
        self.strangers = 0
        self.malformed = 0
        self.problems: list[str] = []
        """What servers refused; shown when no path is found."""
        self.heard_at = 0.0
        """When the peer last proved that it is there."""
        self.rtt: float | None = None
        """Seconds, of the last consent check."""
        self._settings = settings
        self._deliver, self._on_candidate, self._now = on_packet, on_candidate, now
        self._known: dict[Address, float] = {}
        """Where the peer sends from, and when a check last came from there."""
        self._polled: _Endpoint | None = None
        self._gathering: asyncio.Task[None] | None = None
        self._consent: asyncio.Task[None] | None = None
        self._consent_at = 0.0
        self._answered_at = 0.0
        self._silences = 0
        self._loop = asyncio.get_running_loop()

    # --- candidates --------------------------------------------------------------------------------------------------

    def gather(self) -> None:
        """Open the sockets: ``local_candidates`` are those of this machine at once; servers' follow by ``on_candidate``."""
        self._local_candidates_start = self._local_candidates_end = True
        if not self._settings.relay_only:
            for rank, address in enumerate(host_addresses(self._settings)):
                with contextlib.suppress(OSError):
                    self._protocols.append(self._bind(address, rank))
            if not self._protocols:
                self.problems.append("No UDP port could be opened.")
        endpoints = list(self._protocols)
        found = [endpoint.local_candidate for endpoint in endpoints]
        if public := self._settings.public_address:
            found += [seen for candidate in found if (seen := public_candidate(candidate, public))]
        self._local_candidates += found
        if self._settings.servers:
            self._gathering = self._loop.create_task(self._ask_servers(endpoints))
        else:
            self._loop.call_soon(self._on_candidate, None)

    @property
    def gathered(self) -> bool:
        """No more candidates will follow."""
        return self._gathering is None or self._gathering.done()

    def add_candidate(self, text: str) -> None:
        """A candidate of the peer, as in SDP. Names (mDNS) are not looked up: such a peer's checks reach us and show its
        address. Anything malformed is counted."""
        try:
            candidate = Candidate.from_sdp(text.removeprefix("candidate:"))
            if candidate.host.endswith(".local"):
                return
            address = ipaddress.ip_address(candidate.host)
        except ValueError:
            self.malformed += 1
            return
        usable = (
            candidate.transport.lower() == "udp" and candidate.component == COMPONENT and 0 < candidate.port < 65536
        )
        if usable and not address.is_multicast and len(self._remote_candidates) < _MOST_PAIRS and not self._closing:
            self._add_remote_candidate(candidate, candidate.host)

    def _bind(self, address: str, rank: int) -> _Endpoint:
        sock = open_socket(address, self._settings.ports)
        endpoint = _Endpoint(self)
        endpoint.udp = UdpTransport(self._loop, sock, endpoint)
        endpoint.local_candidate = host_candidate(address, sock.getsockname()[1], rank)
        return endpoint

    async def _ask_servers(self, endpoints: Sequence[StunProtocol]) -> None:
        asked = []
        for server in server_addresses(self._settings.servers):
            if isinstance(server, TurnServer):
                asked.append(self._found(self._relay(server), server.name))
            else:
                asked += [
                    self._found(self._reflexive(endpoint, server), server.name)
                    for endpoint in endpoints
                    if reaches_out(endpoint.local_candidate.host)
                ]
        try:
            await asyncio.gather(*asked)
        finally:
            self._on_candidate(None)

    async def _found(self, ask: Any, name: str) -> None:
        try:
            candidate, endpoint = await asyncio.wait_for(ask, GATHER_WITHIN)
        except (OSError, stun.TransactionError, TimeoutError) as error:
            self.problems.append(f"{name}: {error or 'no answer'}.")
            return
        if self._closing:
            if endpoint is not None:
                endpoint.transport.close()
            return
        if any(each.host == candidate.host and each.port == candidate.port for each in self._local_candidates):
            return
        self._local_candidates.append(candidate)
        if endpoint is not None:
            self._protocols.append(endpoint)
            for remote in self._remote_candidates:
                self._pair_remote_candidate(remote)
            self.sort_check_list()
        self._on_candidate(candidate_line(candidate))

    async def _reflexive(self, endpoint: StunProtocol, server: StunServer) -> tuple[Candidate, None]:
        return await server_reflexive_candidate(endpoint, (server.host, server.port))

    async def _relay(self, server: TurnServer) -> tuple[Candidate, StunProtocol]:
        return await relayed_candidate(
            component=COMPONENT,
            hide_related_address=self._settings.relay_only,
            protocol_factory=lambda: _Endpoint(self),
            turn_server=(server.host, server.port),
            turn_username=server.username,
            turn_password=server.credential,
            turn_ssl=server.tls,
            turn_transport=server.transport,
        )

    # --- the path ----------------------------------------------------------------------------------------------------

    async def establish(self, ufrag: str, pwd: str) -> None:
        """Wait until a path is agreed on; the caller sets the limit."""
        self.remote_username, self.remote_password = ufrag, pwd
        await self.connect()
        self.heard_at = self._answered_at = self._consent_at = self._now()

    def hand_over(self) -> None:
        """From now on somebody calls ``poll`` every tick: the loop reads the other paths' sockets only."""
        pair = self._nominated.get(COMPONENT)
        if pair is None:
            return
        before, self._polled = self._polled, cast(_Endpoint, pair.protocol)
        if before is not self._polled:
            if before is not None and before.udp is not None:
                before.udp.watch()
            if self._polled.udp is not None:
                self._polled.udp.leave()

    def transmit(self, data: bytes) -> bool:
        """Send to the peer, from any thread. False: not sent (no path, or the socket is full)."""
        pair = self._nominated.get(COMPONENT)
        if pair is None:
            return False
        endpoint = cast(_Endpoint, pair.protocol)
        if endpoint.udp is not None:
            return endpoint.udp.try_send(data, pair.remote_addr)
        self._loop.call_soon_threadsafe(self._send_relayed, endpoint, data, pair.remote_addr)
        return True

    def poll(self) -> list[tuple[float, bytes]]:
        """What has come on the path, with its age in seconds; for the plane's tick. The rest goes to the loop."""
        polled = self._polled
        if polled is None or polled.udp is None:
            return []
        found, rest = [], []
        for datagram in polled.udp.poll():
            host, port = datagram.address[:2]
            if (host, port) in self._known and protocol(datagram.data) in ("rtp", "rtcp"):
                found.append((datagram.age, datagram.data))
            else:
                rest.append(datagram)
        if rest:
            self._loop.call_soon_threadsafe(polled.take, rest)
        return found

    def advance(self, now: float) -> None:
        """Ask for consent when it is time to; leave a silent path for one that answers."""
        pair = self._nominated.get(COMPONENT)
        if pair is None or self._closing or now < self._consent_at:
            return
        if self._consent is None or self._consent.done():
            self._consent_at = now + CONSENT_EVERY * (0.8 + 0.4 * secrets.randbelow(1000) / 1000)
            self._consent = self._loop.create_task(self._ask_consent(pair))

    @property
    def expired(self) -> bool:
        """The peer has not allowed sending for too long."""
        return bool(self._nominated) and self._now() - self._answered_at > EXPIRES_AFTER

    async def aclose(self) -> None:
        """Close every socket, within a second."""
        self._closing = True
        for task in (self._gathering, self._consent):
            if task is not None:
                task.cancel()
        try:
            await asyncio.wait_for(self.close(), _CLOSE_WITHIN)
        except TimeoutError:
            for endpoint in self._protocols:
                endpoint.transport.close()

    async def query_consent(self) -> None:
        """Replaced by ``advance``."""

    async def _ask_consent(self, pair: CandidatePair) -> None:
        assert self.remote_password is not None
        asked = self._now()
        try:
            await pair.protocol.request(
                self.build_request(pair, nominate=False),
                pair.remote_addr,
                integrity_key=self.remote_password.encode(),
                retransmissions=0,
            )
        except stun.TransactionError:
            self._silences += 1
            if self._silences >= 2:
                self._take_another(pair)
            return
        self._silences = 0
        self.heard_at = self._answered_at = self._now()
        self.rtt = self.heard_at - asked

    def _take_another(self, silent: CandidatePair) -> None:
        """The pair that works and by which the peer checked last: one whose address changed has made it by that."""
        if self._nominated.get(COMPONENT) is not silent:
            return
        working = [
            pair for pair in self._check_list if pair is not silent and pair.state is CandidatePair.State.SUCCEEDED
        ]
        if not working:
            return
        self._nominated[COMPONENT] = max(working, key=lambda pair: self._known.get(pair.remote_addr, 0.0))
        self._check_list.remove(silent)
        self._silences = 0
        if self._polled is not None:
            self.hand_over()

    @staticmethod
    def _send_relayed(endpoint: _Endpoint, data: bytes, address: Address) -> None:
        with contextlib.suppress(OSError):
            endpoint.transport.sendto(data, address)

    # --- what arrives ------------------------------------------------------------------------------------------------

    def packet(self, data: bytes, address: Address) -> None:
        """Not STUN: the peer's, or a stranger's."""
        if address in self._known:
            self._deliver(data)
        else:
            self.strangers += 1

    def request_received(self, message: stun.Message, addr: Address, protocol: StunProtocol) -> None:
        if len(self._check_list) >= _MOST_PAIRS and addr not in self._known:
            self.strangers += 1
            return
        super().request_received(message, addr, protocol)

    def check_incoming(self, message: stun.Message, addr: Address, protocol: StunProtocol) -> None:
        """A check with the right password: whoever sent it is the peer."""
        self._known[addr] = self.heard_at = self._now()
        super().check_incoming(message, addr, protocol)

    def check_complete(self, pair: CandidatePair) -> None:
        if pair.state is CandidatePair.State.SUCCEEDED:
            self._known.setdefault(pair.remote_addr, self._now())
        super().check_complete(pair)
        if self._polled is not None:
            self.hand_over()


class _Endpoint(StunProtocol):
    """One local candidate's socket: ``udp``, or ``None`` where a TURN server relays."""

    def __init__(self, transport: IceTransport) -> None:
        super().__init__(transport)
        self.udp: UdpTransport | None = None
        self._ice = transport

    def take(self, datagrams: Sequence[Datagram]) -> None:
        """What was polled and is not for the plane."""
        for datagram in datagrams:
            self.datagram_received(datagram.data, datagram.address)

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        assert isinstance(data, bytes)
        kind = protocol(data)
        if kind == "stun":
            self._stun(data, addr)
        elif kind == "unknown":
            self._ice.malformed += 1
        else:
            self._ice.packet(data, (addr[0], addr[1]))

    def _stun(self, data: bytes, addr: tuple[Any, ...]) -> None:
        try:
            message = stun.parse_message(data)
            if message.message_class is stun.Class.REQUEST and "PRIORITY" not in message.attributes:
                raise ValueError("PRIORITY is missing")
        except Exception:
            self._ice.malformed += 1
            return
        super().datagram_received(data, addr)
