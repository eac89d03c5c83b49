"""What the tests of the dashboard look at, and ask for."""

from dataclasses import replace

from playwright.sync_api import Locator, Page, expect

import exchanges
from e2e.client import register
from e2e.proxy import ProxyProcess
from e2e.test_gateway import port_of
from e2e.upstream import ScriptedUpstream
from exchanges.base import Exchange


def address(gate: ProxyProcess) -> str:
    return f"http://127.0.0.1:{port_of(gate)}/"


def live(page: Page) -> None:
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    expect(page.locator("#tile-calls dd").first).to_be_visible()


def saying(upstream: ScriptedUpstream, word: str, model: str = "") -> Exchange:
    made = exchanges.openai.CHAT.saying(word)
    if model:
        body = made.body.replace(b"gpt-4o-mini-2024-07-18", model.encode())
        assert body != made.body
        made = replace(made, body=body)
    register(upstream, made)
    return made


def rows(page: Page, verdict: str) -> Locator:
    return page.locator("#calls tbody tr", has=page.locator(f".badge.{verdict.lower()}"))


def number(page: Page, tile: str) -> int:
    return int(page.locator(f"#tile-{tile} dd").first.inner_text().replace(",", ""))


def ratio(page: Page) -> int:
    calls = number(page, "calls")
    upstream = int(page.locator("#tile-calls dd.aside").inner_text().split()[0])
    return round((calls - upstream) / calls * 100)
