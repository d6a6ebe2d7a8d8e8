"""What a program sets about calls from browsers: plain data, read by admission, calls and routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from antiphon.audio.seam import PlaneLink
from antiphon.web.ice import IceSource

Checked = bool | str | None
TokenCheck = Callable[[str], Checked | Awaitable[Checked]]
"""Is given the page's token; returns whether it may call. A text that it returns is the job's ``metadata``."""
Auth = str | TokenCheck | Literal[False] | None


class WebRTCLimits(msgspec.Struct, frozen=True):
    """``sessions``: at the same time. ``offers_per_minute``: of one address, and as many calls may it begin;
    ``pages_per_minute``: sockets that one address opens. An IPv6 address counts as its /64. ``message_bytes``: of one message;
    ``messages_per_second``: of one page, on average over 5 s. ``transcript``: captions that a page which comes back is given."""

    sessions: int = 100
    offers_per_minute: int = 60
    pages_per_minute: int = 120
    message_bytes: int = 128 * 1024
    messages_per_second: float = 100.0
    transcript: int = 400


class WebSettings(msgspec.Struct, frozen=True):
    """The settings of a ``WebRTC``; its docstring says what they mean."""

    ice_servers: IceSource = ()
    auth: Auth = None
    origins: tuple[str, ...] = ()
    udp_ports: tuple[int, int] | None = None
    public_address: str = ""
    relay_only: bool = False
    resume_window: float = 60.0
    limits: WebRTCLimits = WebRTCLimits()
    proxies: int = 0
    playground: bool = True
    plane: Literal["thread", "process"] | PlaneLink = "process"
    user_loop: Literal["own", "shared"] = "own"
    folder: str = ""
    record: bool = False
    details: bool = False
