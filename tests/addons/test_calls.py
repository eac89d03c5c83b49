import pytest
from mitmproxy import http

from addons import flows
from addons.flows import flow, response
from mitmcache.addons.calls import Calls
from mitmcache.addons.options import Options
from mitmcache.addons.trail import trail_of
from mitmcache.exchange import Call
from mitmcache.providers.catalogue import user_host

NAME = "api.openai.com"
OPENAI = f"https://{NAME}/v1/chat/completions"
ADDRESS = "https://162.159.140.245/v1/chat/completions"
EVIL = "https://evil.example/v1/chat/completions"
BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model"
AZURE = "https://a.openai.azure.com"


async def seen(asked: http.HTTPFlow, *hosts: str) -> Call | None:
    options = Options()
    options.current = flows.with_hosts(options.current, *(user_host(host) for host in hosts))
    addon = Calls(options)
    addon.requestheaders(asked)
    if decoding := addon.request(asked):
        await decoding
    return trail_of(asked).call


HOSTS = [
    ("the host it goes to", flow(url=OPENAI), NAME),
    (
        "in any letter case, with a dot behind",
        flow(url=OPENAI.replace("api", "API"), named="API.OpenAI.com."),
        NAME,
    ),
    ("with a port in the Host header", flow(url=OPENAI, named="api.openai.com:443"), NAME),
    ("over HTTP/2", flow(url=OPENAI, version="HTTP/2.0"), NAME),
    ("without a Host header", flow(url=OPENAI, named=None), NAME),
    ("without a name in TLS", flow(url=OPENAI, sni=None), NAME),
    ("by address, with the name in TLS", flow(url=ADDRESS, named=NAME, sni=NAME), NAME),
    ("by address, with no name but in TLS", flow(url=ADDRESS, named=None, sni=NAME), NAME),
    (
        "behind a reverse proxy for the provider",
        flow(url=OPENAI, sni="proxy.corp.example", server_sni=NAME, mode="reverse:https://api.openai.com"),
        NAME,
    ),
    ("another host whose Host header names the provider", flow(url=EVIL, named=NAME), None),
    (
        "another host whose :authority names the provider",
        flow(url=EVIL, named=NAME, version="HTTP/2.0"),
        None,
    ),
    ("another host, by plain HTTP", flow(url="http://evil.example/v1/chat/completions", named=NAME), None),
    (
        "an address by plain HTTP, which shows no name",
        flow(url="http://10.0.0.1/v1/chat/completions", named=NAME),
        None,
    ),
    ("the provider, asked for another of its hosts", flow(url=OPENAI, named="other.example"), None),
    ("the provider, asked for another host in TLS", flow(url=OPENAI, sni="other.example"), None),
    ("an address whose names differ", flow(url=ADDRESS, named=NAME, sni="evil.example"), None),
    (
        "another host behind a reverse proxy, with the provider's name in TLS",
        flow(url=ADDRESS, sni=NAME, server_sni="162.159.140.245", mode="reverse:https://162.159.140.245"),
        None,
    ),
    (
        "a host that only ends like the provider",
        flow(url=OPENAI.replace("api.openai.com", "api.openai.com.evil.example")),
        None,
    ),
]


@pytest.mark.parametrize(("asked", "host"), [pytest.param(*case[1:], id=case[0]) for case in HOSTS])
async def test_a_call_is_that_of_the_host_that_will_answer(asked: http.HTTPFlow, host: str | None) -> None:
    call = await seen(asked)
    assert (call.host if call else None) == host


USER_HOSTS = [
    (
        "a port that is not the scheme's",
        "localhost:11434=openai",
        "http://localhost:11434",
        "localhost:11434",
    ),
    (
        "https on a port of its own",
        "llm.corp.example:8443=openai",
        "https://llm.corp.example:8443",
        "llm.corp.example:8443",
    ),
    ("the scheme's own port", "llm.corp.example=openai", "http://llm.corp.example:80", "llm.corp.example"),
    ("https on the port of http", "llm.corp.example:80=openai", "https://llm.corp.example:80", None),
    ("an address", "10.0.0.7:8000=openai", "http://10.0.0.7:8000", "10.0.0.7:8000"),
    ("an IPv6 address", "[::1]:11434=openai", "http://[::1]:11434", "[::1]:11434"),
    (
        "a name that is not ASCII",
        "xn--bcher-kva.example=openai",
        "https://bücher.example",
        "xn--bcher-kva.example",
    ),
    ("another port", "localhost:11434=openai", "http://localhost:11435", None),
]


@pytest.mark.parametrize(
    ("spec", "base", "host"), [pytest.param(*case[1:], id=case[0]) for case in USER_HOSTS]
)
async def test_a_host_of_the_users_own_is_known_by_name_and_port(
    spec: str, base: str, host: str | None
) -> None:
    call = await seen(flow(url=base + "/v1/chat/completions"), spec)
    assert (call.host if call else None) == host


PATHS = [
    (
        "as it is",
        "https://api.openai.com/v1/chat/completions?a=%20b&a=c",
        "/v1/chat/completions",
        "a=%20b&a=c",
    ),
    (
        "repeated slashes",
        AZURE + "//openai/deployments//x/chat/completions?api-version=1",
        "/openai/deployments/x/chat/completions",
        "api-version=1",
    ),
    ("percent-encoded", BEDROCK + "/anthropic.claude%3A0/invoke", "/model/anthropic.claude:0/invoke", ""),
    ("an encoded question mark", BEDROCK + "/a%3Fb/invoke?c", "/model/a?b/invoke", "c"),
    ("bytes that are not UTF-8", BEDROCK + "/%ff/invoke", "/model/\udcff/invoke", ""),
]


@pytest.mark.parametrize(("url", "path", "query"), [pytest.param(*case[1:], id=case[0]) for case in PATHS])
async def test_paths_are_decoded_and_queries_left_as_sent(url: str, path: str, query: str) -> None:
    call = await seen(flow(url=url))
    assert call and (call.path, call.query) == (path, query)


async def test_a_call_has_the_requests_method_headers_and_body() -> None:
    call = await seen(flow(body=b'{"a":1}', headers=(("X-One", "1"), ("x-one", "2"), ("X-\xff", "3"))))
    assert call and (call.method, call.scheme, call.provider.name) == ("POST", "https", "openai")
    assert call.body == b'{"a":1}'
    assert [pair for pair in call.headers if pair[0].startswith("x-")] == [
        ("x-one", "1"),
        ("x-one", "2"),
        ("x-ÿ", "3"),
    ]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/chat/completions"), ("GET", "/v1/models"), ("POST", "/v1/files"), ("OPTIONS", "*")],
)
async def test_what_is_no_inference_is_no_call(method: str, path: str) -> None:
    asked = flow(method, "https://api.openai.com/")
    asked.request.path = path
    assert await seen(asked) is None


@pytest.mark.parametrize("reason", ["answered", "failed", "not live"])
async def test_a_flow_that_is_over_is_left_alone(reason: str) -> None:
    asked = flow(headers=(("content-type", "application/grpc"),))
    asked.live = reason != "not live"
    if reason == "answered":
        asked.response = response(b"no", status=407)
    elif reason == "failed":
        asked.kill()
    assert await seen(asked) is None
    assert (trail_of(asked).route, asked.request.stream) == (None, False)


async def test_a_flow_that_is_replayed_starts_anew() -> None:
    asked = flow()
    assert await seen(asked)
    trail_of(asked).answer = response()
    asked.request.path = "/v1/models"
    assert await seen(asked) is None
    assert trail_of(asked).answer is None
