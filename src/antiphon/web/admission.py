"""Who may call, how often: origin, token, and limits per address. Time is an argument; nothing here waits but a check of
the program's own."""

from __future__ import annotations

import hmac
import inspect
import ipaddress
from collections import OrderedDict, deque
from urllib.parse import SplitResult, urlsplit

from antiphon.web.http import Request, Response, problem
from antiphon.web.settings import WebSettings

MINUTE = 60.0
_ADDRESSES = 10_000
"""Addresses that are remembered; the ones not seen for longest are forgotten."""

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host")


class RateLimit:
    """``most`` events a minute for each address (of IPv6: each /64, which one customer has), by a sliding window."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Seconds until the address may again; 0: now. Counts nothing."""
        times = self._seen.get(_network(address))
        while times and times[0] <= now - MINUTE:
            times.popleft()
        return 0.0 if not times or len(times) < self._most else times[0] + MINUTE - now

    def take(self, address: str, now: float) -> float:
        """As ``wait``; counts the event when it is allowed."""
        if wait := self.wait(address, now):
            return wait
        key = _network(address)
        self._seen.setdefault(key, deque()).append(now)
        self._seen.move_to_end(key)
        while len(self._seen) > _ADDRESSES:
            self._seen.popitem(last=False)
        return 0.0


class Admission:
    """The door of one ``WebRTC``."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self.pages = RateLimit(settings.limits.pages_per_minute)
        self.offers = RateLimit(settings.limits.offers_per_minute)
        self.calls = RateLimit(settings.limits.offers_per_minute)
        """Calls that begin: a line is taken by a hello, before any offer."""

    def address(self, request: Request) -> str:
        """The caller's address: what the outermost trusted proxy saw, else the peer's."""
        proxies = self._settings.proxies
        if proxies:
            seen = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
            if seen:
                return seen[-min(proxies, len(seen))]
        return request.address

    def refusal(self, request: Request, now: float, *, count: bool) -> Response | None:
        """Why this request may not open a socket; ``None``: it may. ``count``: it does open one."""
        if not self.origin_allowed(request):
            return problem(403, "This page may not call here.", "Its origin is not among WebRTC(origins=...).")
        if self._settings.auth is None and not local(request):
            return problem(
                401,
                "Only this machine may call here.",
                "Set WebRTC(auth=...) to serve others (auth=False: everybody).",
            )
        limit = self.pages
        address = self.address(request)
        wait = limit.take(address, now) if count else limit.wait(address, now)
        if wait:
            return problem(429, "Too many connections from this address.", "Wait a little.", retry_after=wait)
        return None

    def origin_allowed(self, request: Request) -> bool:
        """A page may call where it was served from, or where its origin is listed. No origin: no browser's page."""
        origin = request.headers.get("origin", "")
        if not origin or origin in self._settings.origins:
            return True
        host = request.headers.get("host", "").lower()
        return bool(host) and _split(origin).netloc.lower() == host

    async def token(self, token: str) -> str | None:
        """The job's metadata for a good token, ``None`` for a bad one."""
        auth = self._settings.auth
        if auth is None or auth is False:
            return ""
        if isinstance(auth, str):
            return "" if hmac.compare_digest(token.encode(), auth.encode()) else None
        checked = auth(token)
        if inspect.isawaitable(checked):
            checked = await checked
        return checked if isinstance(checked, str) else "" if checked else None


def local(request: Request) -> bool:
    """Whether the request comes from this machine and was meant for it: peer and ``Host`` are loopback, no proxy between.
    (The ``Host`` too: a stranger's name may be made to resolve to 127.0.0.1.)"""
    if any(name in request.headers for name in FORWARDED):
        return False
    host = _split(f"//{request.headers.get('host', '')}").hostname or ""
    return loopback(request.address) and loopback(host)


def loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(address: str) -> SplitResult:
    """Nothing but empty parts for what is no address: a stranger wrote it."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _network(address: str) -> str:
    """What the addresses of one caller have in common."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
