import pytest

from addons.conftest import MakeRig
from addons.flows import Rig, flow, response
from mitmcache.addons.trail import trail_of

UPGRADE = {"connection": "Upgrade", "upgrade": "websocket"}
URL = "https://api.openai.com/v1/responses"


@pytest.mark.parametrize("headers", [UPGRADE, UPGRADE | {"upgrade": "WebSocket"}])
@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"{URL}?model=m",
        "https://chatgpt.com/backend-api/codex/responses",
        "https://api.anthropic.com/v1/messages",
        "https://llm.corp.example/gateway/v1/responses",
    ],
)
async def test_where_a_post_would_do_an_upgrade_is_refused(
    make_rig: MakeRig, headers: dict[str, str], url: str
) -> None:
    rig = make_rig(llm_hosts="llm.corp.example=openai")
    asked = await rig.call(flow("GET", url, b"", headers.items()))
    assert asked.response and (asked.response.status_code, asked.response.raw_content) == (426, b"")
    assert asked.response.headers["upgrade"] == "HTTP/1.1"
    assert trail_of(asked).outcome is None


LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
OTHERS = [
    ("OpenAI's realtime", "https://api.openai.com/v1/realtime?model=gpt-realtime", UPGRADE),
    ("Gemini Live", f"https://generativelanguage.googleapis.com{LIVE}", UPGRADE),
    ("another host", "https://plain.example/v1/responses", UPGRADE),
    ("another path", "https://api.openai.com/v1/responses/resp_1/cancel", UPGRADE),
    ("a plain call", URL, {}),
    ("another upgrade", URL, UPGRADE | {"upgrade": "h2c"}),
]


@pytest.mark.parametrize(("url", "headers"), [pytest.param(*case[1:], id=case[0]) for case in OTHERS])
async def test_any_other_upgrade_passes(rig: Rig, url: str, headers: dict[str, str]) -> None:
    assert (await rig.ask(flow("GET", url, b"", headers.items()))).response is None


@pytest.mark.parametrize("options", [{"llm_mode": "off"}, {"llm_websocket": "pass"}])
async def test_it_passes_for_those_who_say_so(make_rig: MakeRig, options: dict[str, str]) -> None:
    rig = make_rig(**options)
    assert (await rig.ask(flow("GET", URL, b"", UPGRADE.items()))).response is None


async def test_offline_no_socket_reaches_a_provider(make_rig: MakeRig) -> None:
    rig = make_rig(llm_mode="offline", llm_websocket="pass")
    asked = await rig.ask(flow("GET", OTHERS[0][1], b"", UPGRADE.items()))
    assert asked.response and asked.response.status_code == 504


async def test_what_is_refused_already_stays_so(rig: Rig) -> None:
    asked = flow("GET", URL, b"", UPGRADE.items())
    asked.response = refusal = response(b"who are you?", status=407)
    assert (await rig.ask(asked)).response is refusal
