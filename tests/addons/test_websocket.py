import pytest

from addons.conftest import MakeRig
from addons.flows import Rig, flow, response
from mitmcache.addons.trail import trail_of

CODEX = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "openai-beta": "responses_websockets=2026-02-06",
    "originator": "codex_cli_rs",
}
URL = "https://api.openai.com/v1/responses"


@pytest.mark.parametrize("headers", [CODEX, CODEX | {"upgrade": "WebSocket", "originator": "Codex_exec"}])
@pytest.mark.parametrize("url", [URL, "https://chatgpt.com/backend-api/codex/responses"])
async def test_codex_is_told_to_use_http(rig: Rig, headers: dict[str, str], url: str) -> None:
    asked = await rig.call(flow("GET", url, b"", headers.items()))
    assert asked.response and (asked.response.status_code, asked.response.raw_content) == (426, b"")
    assert trail_of(asked).outcome is None


OTHERS = [
    ("another client", CODEX | {"originator": "my_agent"}),
    ("a client without a name", {name: CODEX[name] for name in CODEX if name != "originator"}),
    ("Codex' plain call", {name: CODEX[name] for name in CODEX if name != "upgrade"}),
    ("Codex' other sockets", CODEX | {"openai-beta": "realtime=v1"}),
]


@pytest.mark.parametrize("headers", [pytest.param(headers, id=name) for name, headers in OTHERS])
async def test_any_other_upgrade_passes(rig: Rig, headers: dict[str, str]) -> None:
    assert (await rig.ask(flow("GET", URL, b"", headers.items()))).response is None


async def test_off_it_passes_too(make_rig: MakeRig) -> None:
    rig = make_rig(llm_mode="off")
    assert (await rig.ask(flow("GET", URL, b"", CODEX.items()))).response is None


async def test_what_is_refused_already_stays_so(rig: Rig) -> None:
    asked = flow("GET", URL, b"", CODEX.items())
    asked.response = refusal = response(b"who are you?", status=407)
    assert (await rig.ask(asked)).response is refusal
