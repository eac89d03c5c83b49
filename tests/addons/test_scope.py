import re

import pytest
from mitmproxy import connection
from mitmproxy.options import Options as MitmproxyOptions
from mitmproxy.proxy.context import Context
from mitmproxy.test import tflow
from mitmproxy.tls import ClientHello, ClientHelloData, TlsData

from addons.conftest import MakeRig
from addons.flows import Rig, configured
from mitmcache.addons import scope
from mitmcache.addons.options import Options
from mitmcache.addons.scope import REFUSALS, Scope


def decrypted(rig: Rig, address: str) -> bool:
    """As mitmproxy decides it."""
    return any(re.search(pattern, address, re.IGNORECASE) for pattern in rig.options.allow_hosts)


@pytest.mark.parametrize(
    "address",
    [
        "api.openai.com:443",
        "API.Anthropic.com:443",
        "a.openai.azure.com:443",
        "llm.cache:443",
        "llm.corp.example:443",
    ],
)
async def test_the_catalogues_hosts_the_users_and_our_own_are_decrypted(
    make_rig: MakeRig, address: str
) -> None:
    assert decrypted(make_rig(llm_hosts="llm.corp.example=openai"), address)


@pytest.mark.parametrize(
    "address",
    [
        "plain.example:443",
        "api.openai.com.evil.example:443",
        "evil-api.openai.com:443",
        "api.openai.com:4433",
        "apixopenai.com:443",
        "llm-corp.example:443",
        "llm.cache.example:443",
    ],
)
async def test_no_other_host_is_decrypted(make_rig: MakeRig, address: str) -> None:
    assert not decrypted(make_rig(llm_hosts="llm.corp.example=openai"), address)


async def test_the_users_own_patterns_stay(make_rig: MakeRig) -> None:
    rig = make_rig(allow_hosts=["^own\\.example:443$"])
    assert decrypted(rig, "own.example:443") and decrypted(rig, "api.openai.com:443")
    assert len(rig.options.allow_hosts) == len(set(rig.options.allow_hosts))


async def test_patterns_that_the_user_sets_later_are_added_to_ours(rig: Rig) -> None:
    rig.options.update(allow_hosts=["^own\\.example:443$"])
    assert decrypted(rig, "own.example:443") and decrypted(rig, "api.openai.com:443")


async def test_hosts_that_change_take_the_place_of_those_before(rig: Rig) -> None:
    rig.options.update(allow_hosts=["^own\\.example:443$"])
    rig.options.update(llm_hosts="one.example=openai")
    rig.options.update(llm_hosts="two.example=openai")
    found = [decrypted(rig, f"{name}.example:443") for name in ("own", "one", "two")]
    assert found == [True, False, True]


async def test_a_hot_reload_adds_nothing_twice(rig: Rig) -> None:
    before = list(rig.options.allow_hosts)
    rig.manager.remove(rig.get(Scope))
    again = Scope(rig.get(Options))
    rig.manager.add(again)
    configured(rig.manager, again)
    assert list(rig.options.allow_hosts) == before


# clients that do not trust the CA


def hello(*ciphers: bytes) -> ClientHello:
    """The least that mitmproxy can parse: version, random, no session, ciphers, no compression."""
    offered = b"".join(ciphers)
    return ClientHello(b"\x03\x03" + bytes(32) + b"\0" + len(offered).to_bytes(2) + offered + b"\x01\0")


AES, CHACHA = b"\x13\x01", b"\x13\x03"


class Client:
    """One client's handshakes for one host, as mitmproxy tells of them."""

    def __init__(
        self,
        addon: Scope,
        host: str = "api.openai.com",
        address: str = "192.0.2.1",
        sni: bool = True,
        ciphers: tuple[bytes, ...] = (AES,),
    ) -> None:
        self.addon, self.hello = addon, hello(*ciphers)
        client = tflow.tclient_conn()
        client.peername, client.sni = (address, 50000), host if sni else None
        self.context = Context(client, MitmproxyOptions())
        self.context.server = connection.Server(address=(host, 443))

    def tunnelled(self) -> bool:
        data = ClientHelloData(self.context, self.hello)
        self.addon.tls_clienthello(data)
        return data.ignore_connection

    def refuses(self, times: int = 1) -> None:
        for _ in range(times):
            self.tunnelled()
            self.addon.tls_failed_client(TlsData(self.context.client, self.context))

    def trusts(self) -> None:
        self.tunnelled()
        self.addon.tls_established_client(TlsData(self.context.client, self.context))


@pytest.fixture
def addon() -> Scope:
    return Scope(Options())


@pytest.mark.parametrize("sni", [True, False])
def test_a_client_that_refuses_again_and_again_is_let_through_and_that_is_said_once(
    addon: Scope, sni: bool, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(addon, sni=sni)
    for _ in range(REFUSALS):
        assert not client.tunnelled() and not caplog.records
        client.refuses()
    assert client.tunnelled()
    client.refuses(REFUSALS)
    assert [
        (line.levelname, "192.0.2.1" in line.message, "api.openai.com" in line.message)
        for line in caplog.records
    ] == [("WARNING", True, True)]


def test_neither_another_client_nor_another_host_is_let_through(addon: Scope) -> None:
    Client(addon).refuses(REFUSALS)
    assert not Client(addon, address="192.0.2.2").tunnelled()
    assert not Client(addon, host="api.anthropic.com").tunnelled()


def test_another_program_of_the_same_machine_is_not_let_through(addon: Scope) -> None:
    Client(addon).refuses(REFUSALS)
    assert not Client(addon, ciphers=(AES, CHACHA)).tunnelled()


def test_a_program_is_known_again_by_its_ciphers_whatever_it_greases_them_with(addon: Scope) -> None:
    Client(addon, ciphers=(b"\x1a\x1a", AES, CHACHA)).refuses(REFUSALS)
    assert Client(addon, ciphers=(b"\xfa\xfa", CHACHA, AES)).tunnelled()


def test_a_refusal_now_and_then_lets_nobody_through(addon: Scope) -> None:
    client = Client(addon)
    for _ in range(3):
        client.refuses(REFUSALS - 1)
        client.trusts()
    assert not client.tunnelled()


def test_what_is_remembered_is_bounded_and_the_oldest_goes(
    addon: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope, "MAX_PAIRS", 2)
    first, second, third = (Client(addon, address=f"192.0.2.{last}") for last in (1, 2, 3))
    for client in (first, second, third):
        client.refuses(REFUSALS)
    assert [client.tunnelled() for client in (first, second, third)] == [False, True, True]
