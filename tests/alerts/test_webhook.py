import asyncio
import ssl
from base64 import b64encode

import pytest

from alerts.hooks import Hook
from e2e.certs import Certificates
from mitmcache.alerts.webhook import MOST, Webhook, where

DEADLINE = 60.0
PAUSES = (0.0, 0.0)


async def sent(url: str, *messages: bytes, deadline: float = DEADLINE) -> None:
    webhook = Webhook(PAUSES, deadline)
    for message in messages:
        webhook.send(url, message)
    await webhook.close(DEADLINE)


@pytest.fixture(autouse=True)
def a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)


async def test_messages_are_posted_in_order_and_past_any_proxy() -> None:
    with Hook() as hook:
        await sent(f"http://us%65r:p%40ss@{hook.host}/a?token=t", b"{1}", b"{2}")
    assert [(posted.path, posted.body) for posted in hook.posted] == [
        ("/a?token=t", b"{1}"),
        ("/a?token=t", b"{2}"),
    ]
    assert hook.posted[0].headers["content-type"] == "application/json"
    assert hook.posted[0].headers["authorization"] == f"Basic {b64encode(b'user:p@ss').decode()}"


ATTEMPTS = [
    ("a failure that passes", [500, 429, 200], 3, ""),
    ("one that does not", [503], 3, "it answers 503"),
    ("a refusal is not asked again", [404], 1, "it answers 404"),
    ("a redirect is not followed", [302], 1, "it answers 302"),
]


@pytest.mark.parametrize(
    ("statuses", "attempts", "told"), [pytest.param(*case[1:], id=case[0]) for case in ATTEMPTS]
)
async def test_what_is_tried_again_and_what_is_said(
    statuses: list[int], attempts: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Hook(statuses) as hook:
        await sent(f"http://{hook.host}/secret?secret", b"{}")
    assert len(hook.posted) == attempts
    said = [f"mitmcache: alerts do not reach the webhook at http://{hook.host}: {told}"] if told else []
    assert caplog.messages == said


async def test_failures_are_said_once_until_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    with Hook([404, 404, 200, 404]) as hook:
        await sent(f"http://{hook.host}/", b"1", b"2", b"3", b"4")
    assert len(caplog.messages) == 2


async def test_one_that_never_answers_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    with Hook([0]) as hook:
        await sent(f"http://{hook.host}/secret", b"{}", deadline=0.05)
    assert caplog.messages == [
        f"mitmcache: alerts do not reach the webhook at http://{hook.host}: it does not answer in time"
    ]


async def test_nobody_there_is_said_without_the_url(caplog: pytest.LogCaptureFixture) -> None:
    await sent("http://secret:secret@127.0.0.1:9/secret", b"{}")
    [said] = caplog.messages
    assert said.endswith("http://127.0.0.1:9: ConnectionRefusedError") and "secret" not in said


async def test_a_server_that_nobody_vouches_for_is_told_nothing(
    loopback_certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(loopback_certificates.leaf)
    with Hook(tls=tls) as hook:
        await sent(f"https://{hook.host}/", b"{}")
    assert not hook.posted and "SSLCertVerificationError" in caplog.text


async def test_of_many_that_wait_the_oldest_go() -> None:
    with Hook() as hook:
        await sent(f"http://{hook.host}/", *(b"%d" % number for number in range(MOST + 10)))
    assert [posted.body for posted in hook.posted] == [b"%d" % number for number in range(10, MOST + 10)]


async def test_the_end_does_not_wait_for_one_that_never_answers() -> None:
    with Hook([0]) as hook:
        webhook = Webhook(PAUSES, 600.0)
        webhook.send(f"http://{hook.host}/", b"{}")
        assert await asyncio.to_thread(hook.came.acquire, timeout=DEADLINE)
        async with asyncio.timeout(DEADLINE):
            await webhook.close(0.05)


def test_of_a_url_only_the_host_is_told() -> None:
    assert where("https://u:p@hooks.example:8443/T0/B1?x=y#z") == "https://hooks.example:8443"
    assert where("http://hooks.example/T0") == "http://hooks.example"
