"""Small rules of the door: whose address it is, what counts as this machine, TURN passwords, wrong settings."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from typing import Any

import pytest

from antiphon import ConfigurationError, IceServer, WebRTC, turn_credentials
from antiphon.web.admission import Admission, RateLimit, local, loopback
from antiphon.web.http import Request
from antiphon.web.ice import for_browser, servers_of
from antiphon.web.settings import WebSettings


def request(address: str = "127.0.0.1", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in {"host": "localhost:8080", **headers}.items()}
    return Request("GET", "socket", named, address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "app.localhost"])
def test_names_of_this_machine(host: str) -> None:
    assert loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.evil.example", "192.0.2.7", "10.0.0.1", "0.0.0.0", "127.0.0.1.nip.io"])
def test_names_that_are_not(host: str) -> None:
    assert not loopback(host)


def test_local_is_peer_and_host_and_no_proxy() -> None:
    assert local(request())
    assert local(request(host="[::1]:8080", address="::1"))
    assert not local(request(address="192.0.2.7"))
    assert not local(request(host="rebound.example:8080"))
    assert not local(request(x_forwarded_for="192.0.2.7"))


@pytest.mark.parametrize("wrong", ["[", "[::1", "[nonsense]", "\u2100.example"])
def test_what_is_no_host_and_no_origin_is_refused_in_words(wrong: str) -> None:
    assert not local(request(host=wrong))
    foreign = Admission(WebSettings(auth=False)).refusal(request(origin=f"http://{wrong}"), 0.0, count=True)
    assert foreign is not None and foreign.status == 403


def test_no_host_is_nobodys_origin() -> None:
    door = Admission(WebSettings(auth=False))
    assert not door.origin_allowed(request(host="", origin="null"))
    assert not door.origin_allowed(request(host="", origin="http://["))
    assert door.origin_allowed(request(host="Shop.example:8443", origin="https://shop.example:8443"))


def test_the_address_behind_trusted_proxies() -> None:
    headers = {"x_forwarded_for": "6.6.6.6, 198.51.100.4, 10.0.0.2"}
    assert Admission(WebSettings()).address(request(**headers)) == "127.0.0.1"
    assert Admission(WebSettings(proxies=1)).address(request(**headers)) == "10.0.0.2"
    assert Admission(WebSettings(proxies=2)).address(request(**headers)) == "198.51.100.4"
    assert Admission(WebSettings(proxies=1)).address(request()) == "127.0.0.1"


def test_a_rate_limit_slides_and_forgets() -> None:
    limit = RateLimit(2)
    assert [limit.take("a", now) for now in (0.0, 10.0, 20.0)] == [0.0, 0.0, 40.0]
    assert limit.take("b", 20.0) == 0.0
    assert limit.take("a", 60.0) == 0.0
    assert limit.wait("a", 61.0) == 9.0
    for number in range(20_000):
        limit.take(str(number), 100.0)
    assert len(limit._seen) <= 10_000


def test_an_ipv6_customer_has_one_limit_for_all_of_his_addresses() -> None:
    limit = RateLimit(1)
    assert limit.take("2001:db8:1:2::1", 0.0) == 0.0
    assert limit.take("2001:db8:1:2:ffff::9", 1.0) == 59.0
    assert limit.take("2001:db8:1:3::1", 1.0) == 0.0
    assert limit.take("::ffff:192.0.2.1", 2.0) == 0.0
    assert limit.take("::ffff:192.0.2.2", 2.0) == 0.0
    assert limit.take("192.0.2.1", 2.0) == 60.0
    assert limit.take("192.0.2.3", 2.0) == 0.0


def test_turn_credentials_are_what_coturn_computes() -> None:
    name, password = turn_credentials("north", now=1_000_000.0, user="caller7", ttl=600)
    assert name == "1000600:caller7"
    assert base64.b64decode(password) == hmac.new(b"north", b"1000600:caller7", hashlib.sha1).digest()
    assert turn_credentials("north", now=0.0, ttl=60)[0] == "60"


def test_ice_servers_come_from_a_list_or_a_function() -> None:
    async def fresh() -> list[Any]:
        return [
            {"urls": "turn:turn.example.com", "username": "u", "credential": "c"},
            IceServer("stun:stun.example.com"),
        ]

    found = asyncio.run(servers_of(fresh))
    assert for_browser(found) == [
        {"urls": "turn:turn.example.com", "username": "u", "credential": "c"},
        {"urls": "stun:stun.example.com"},
    ]
    for wrong in ([{"url": "turn:x"}], ["turn:x"], [{"urls": "http://x"}], [IceServer("turn:x")]):
        with pytest.raises(ConfigurationError):
            asyncio.run(servers_of(wrong))


@pytest.mark.parametrize(
    "settings",
    [{"resume_window": 0}, {"resume_window": 1e9}, {"auth": ""}, {"record": True}],
)
def test_settings_that_cannot_be_meant(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        WebRTC(**settings)


def test_ports_that_cannot_be_meant() -> None:
    async def entrypoint(ctx: Any) -> None: ...

    with pytest.raises(ConfigurationError, match="ports"):
        WebRTC(udp_ports=(9, 10)).routes(entrypoint)
