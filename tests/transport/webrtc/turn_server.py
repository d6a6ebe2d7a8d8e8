"""A TURN server for tests (RFC 8656: allocate, refresh, permission, channels, long-term credentials) on one loopback port."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from aioice import stun, turn

REALM, NONCE = "antiphon.test", b"nonce"
Address = tuple[str, int]


class TurnServer(asyncio.DatagramProtocol):
    """``relayed``: packets that went through, both ways. ``refused``: requests with the wrong credentials."""

    def __init__(self, username: str = "user", password: str = "secret") -> None:
        self.relayed = 0
        self.refused = 0
        self.allocations: dict[Address, _Allocation] = {}
        self._tasks: set[asyncio.Future[None]] = set()
        self._username, self._key = username, turn.make_integrity_key(username, REALM, password)

    async def open(self) -> str:
        """Returns its URL."""
        loop = asyncio.get_running_loop()
        self.transport: Any
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return f"turn:127.0.0.1:{self.transport.get_extra_info('sockname')[1]}?transport=udp"

    def close(self) -> None:
        for allocation in self.allocations.values():
            allocation.transport.close()
        self.transport.close()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        client = (addr[0], addr[1])
        allocation = self.allocations.get(client)
        if data[0] & 0xC0 == 0x40:
            channel, size = struct.unpack_from("!HH", data)
            if allocation is not None and channel in allocation.peers:
                self.relayed += 1
                allocation.transport.sendto(data[4 : 4 + size], allocation.peers[channel])
            return
        message = stun.parse_message(data)
        if message.message_class is stun.Class.REQUEST:
            task = asyncio.ensure_future(self._request(message, client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _request(self, request: stun.Message, client: Address) -> None:
        if "USERNAME" not in request.attributes:
            self._answer(request, client, error=(401, "Unauthorized"))
            return
        if request.attributes["USERNAME"] != self._username or not request.check_message_integrity(self._key):
            self.refused += 1
            self._answer(request, client, error=(401, "Unauthorized"))
            return
        attributes: dict[str, Any] = {}
        match request.message_method:
            case stun.Method.ALLOCATE:
                allocation = _Allocation(self, client)
                loop = asyncio.get_running_loop()
                await loop.create_datagram_endpoint(lambda: allocation, local_addr=("127.0.0.1", 0))
                self.allocations[client] = allocation
                attributes = {
                    "XOR-RELAYED-ADDRESS": allocation.transport.get_extra_info("sockname"),
                    "XOR-MAPPED-ADDRESS": client,
                    "LIFETIME": 600,
                }
            case stun.Method.REFRESH:
                attributes = {"LIFETIME": request.attributes["LIFETIME"]}
                if not attributes["LIFETIME"] and client in self.allocations:
                    self.allocations.pop(client).transport.close()
            case stun.Method.CHANNEL_BIND:
                self.allocations[client].peers[request.attributes["CHANNEL-NUMBER"]] = request.attributes[
                    "XOR-PEER-ADDRESS"
                ]
        self._answer(request, client, attributes)

    def _answer(
        self,
        request: stun.Message,
        client: Address,
        attributes: dict[str, Any] | None = None,
        error: tuple[int, str] | None = None,
    ) -> None:
        response = stun.Message(
            message_method=request.message_method,
            message_class=stun.Class.RESPONSE if error is None else stun.Class.ERROR,
            transaction_id=request.transaction_id,
        )
        response.attributes.update(attributes or {})
        if error is not None:
            response.attributes.update({"ERROR-CODE": error, "NONCE": NONCE, "REALM": REALM})
        response.add_message_integrity(self._key)
        self.transport.sendto(bytes(response), client)


class _Allocation(asyncio.DatagramProtocol):
    def __init__(self, server: TurnServer, client: Address) -> None:
        self.peers: dict[int, Address] = {}
        self._server, self._client = server, client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for channel, peer in self.peers.items():
            if peer == (addr[0], addr[1]):
                self._server.relayed += 1
                self._server.transport.sendto(struct.pack("!HH", channel, len(data)) + data, self._client)
