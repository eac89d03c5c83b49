"""The dashboard in a browser, with live traffic: numbers move, a miss is explained, a purge asks first, and a
page of another origin can do nothing."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

import ports
from e2e import browser as browsers
from e2e.attack import ATTACK, other_origin
from e2e.browser import page_of
from e2e.client import client, outcome, send, store
from e2e.dashboard import address, live, number, ratio, rows, saying
from e2e.proxy import ProxyProcess
from e2e.test_gateway import port_of, signed
from e2e.test_web import PASSWORD
from e2e.upstream import ScriptedUpstream


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsers.running() as started:
        yield started


@pytest.fixture(scope="module")
def gate(
    browser: Browser,
    upstream_session: ScriptedUpstream,
    confdir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ProxyProcess]:
    options = {"llm_gateway_port": str(ports.free()), "web_password": PASSWORD}
    folder = tmp_path_factory.mktemp("dashboard")
    with ProxyProcess(upstream_session, folder, confdir, options, "mitmweb") as proxy:
        yield proxy
    assert not proxy.crashes, proxy.log


@pytest.fixture
def through(gate: ProxyProcess) -> Iterator[httpx.Client]:
    with client(gate) as made:
        yield made


@pytest.fixture
def page(browser: Browser, gate: ProxyProcess) -> Iterator[Page]:
    """The dashboard, up and live."""
    with page_of(browser) as made:
        made.goto(address(gate))
        live(made)
        yield made


def test_numbers_move_as_calls_end(
    page: Page, through: httpx.Client, upstream: ScriptedUpstream, word: str
) -> None:
    before, shown = number(page, "calls"), rows(page, "HIT").count()
    exchange = saying(upstream, word)
    assert [outcome(send(through, exchange)) for _ in range(3)] == ["MISS", "HIT", "HIT"]
    expect(page.locator("#tile-calls dd").first).to_have_text(str(before + 3))
    expect(page.locator("#tile-ratio dd").first).to_have_text("67%" if not before else f"{ratio(page)}%")
    expect(page.locator("#groups tbody tr")).not_to_have_count(0)
    expect(rows(page, "HIT")).to_have_count(shown + 2)
    assert page.locator("#plot-calls canvas").count() == 1
    expect(page.locator("#times")).to_contain_text("as fast from the cache")


def test_a_miss_is_explained_by_mouse_and_by_keyboard(
    page: Page, gate: ProxyProcess, through: httpx.Client, upstream: ScriptedUpstream, word: str
) -> None:
    model = f"made-{word[:8]}"
    mine = page.locator("#calls tbody tr", has_text=model)
    for count, said in enumerate((word, f"{word} again"), 1):
        send(through, saying(upstream, said, model))
        expect(mine).to_have_count(count)
    row = page.locator(f'#calls tr[data-id="{mine.first.get_attribute("data-id")}"]')
    expect(row).to_contain_text("differs: messages[0].content")
    row.click()
    detail = page.locator("#detail")
    expect(detail.locator("#explanation")).to_contain_text("The nearest stored request differs in:")
    expect(detail.locator("#explanation code")).to_have_text(["messages[0].content"])
    expect(detail.locator("tr", has_text="authorization").locator("td")).to_have_text("••••••••")
    expect(detail.locator("tr", has_text="x-cache").locator("td")).to_have_text("MISS")
    link = detail.get_by_role("link", name="mitmweb")
    assert str(link.get_attribute("href")).startswith(f"http://127.0.0.1:{gate.web_port}/#/flows/")
    assert word not in detail.inner_text()
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()
    row.locator(".open").focus()
    page.keyboard.press("Enter")
    expect(detail.locator("#explanation")).to_be_visible()
    send(through, saying(upstream, f"{word} meanwhile", model))
    expect(mine).to_have_count(3)
    page.keyboard.press("Escape")
    expect(row.locator(".open")).to_be_focused()


def test_a_call_that_ends_while_the_list_is_read_stays_in_it(
    page: Page, through: httpx.Client, upstream: ScriptedUpstream, word: str
) -> None:
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/api/calls?*", lambda route: held.append((route, route.fetch())))
    # it listens anew, and reads what there was meanwhile
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    while not held:
        page.wait_for_timeout(10)
    model = f"made-{word[:8]}"
    send(through, saying(upstream, word, model))
    row = page.locator("#calls tbody tr", has_text=model)
    expect(row).to_have_count(1)
    route, before = held[0]
    with page.expect_response("**/api/calls?*") as told:
        route.fulfill(response=before)
    told.value.finished()
    page.evaluate("new Promise((shown) => setTimeout(shown))")
    expect(row).to_have_count(1)


def test_a_purge_shows_first_what_it_takes_and_needs_the_token(
    page: Page, gate: ProxyProcess, through: httpx.Client, upstream: ScriptedUpstream, word: str
) -> None:
    model = f"made-{word[:8]}"
    exchange = saying(upstream, word, model)
    store(through, gate, exchange)
    assert outcome(send(through, exchange)) == "HIT"
    page.click("#purge-open")
    page.fill("#purge input[name=model]", f"{model}*")
    expect(page.locator("#purge-go")).to_be_hidden()
    page.click("#purge-preview")
    expect(page.locator("#purge-result")).to_contain_text(f"1 answer of openai {model}")
    expect(page.locator("#purge-go")).to_have_text("Purge 1 answer")
    page.click("#purge-go")
    page.fill("#unlock input", "not the token")
    page.click("#unlock button[type=submit]")
    expect(page.locator("#unlock-result")).to_have_text("That is not this proxy's token.")
    assert outcome(send(through, exchange)) == "HIT"
    page.fill("#unlock input", signed(gate)["x-mitmcache-token"])
    page.click("#unlock button[type=submit]")
    expect(page.locator("#purge-result")).to_have_text("Purged: 1 answer deleted.")
    assert outcome(send(through, exchange)) == "MISS"


def test_what_was_shown_is_forgotten_when_a_condition_changes(page: Page) -> None:
    page.click("#purge-open")
    page.click("#purge-preview")
    expect(page.locator("#purge-result")).to_contain_text("at least one condition")
    page.fill("#purge input[name=older]", "soon")
    page.click("#purge-preview")
    expect(page.locator("#purge-result .bad")).to_contain_text("older:")
    page.check("#purge input[name=all]")
    expect(page.locator("#purge-result")).to_be_empty()
    page.keyboard.press("Escape")
    expect(page.locator("#purge")).to_be_hidden()


def test_the_link_brings_the_token_and_loses_it(browser: Browser, gate: ProxyProcess) -> None:
    with page_of(browser) as page:
        page.goto(f"{address(gate)}#token={signed(gate)['x-mitmcache-token']}")
        live(page)
        assert page.url == address(gate)
        page.select_option("#mode", "offline")
        expect(page.locator("#mode")).to_have_value("offline")
        page.select_option("#mode", "live")
        expect(page.locator("#mode")).to_have_value("live")


def test_a_name_that_is_markup_is_text(
    page: Page, through: httpx.Client, upstream: ScriptedUpstream, word: str
) -> None:
    name = f"<img src=x onerror=document.title=1>{word[:6]}"
    send(through, saying(upstream, word, name))
    row = page.locator("#calls tbody tr", has_text=name)
    expect(row).to_be_visible()
    row.click()
    expect(page.locator("#detail-title")).to_contain_text(name)
    assert page.title() == "mitmcache" and page.locator("main table img, dialog img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(browser: Browser, gate: ProxyProcess, scheme: str) -> None:
    size = {"width": 390, "height": 844}
    with page_of(browser, viewport=size, color_scheme=scheme, has_touch=True) as page:
        page.goto(address(gate))
        live(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        light = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0] > 127"
        assert page.evaluate(light) == (scheme == "light")
        page.click("#theme")  # light
        page.click("#theme")  # dark
        assert not page.evaluate(light)


def test_through_the_proxy_it_can_be_looked_at_alone(browser: Browser, gate: ProxyProcess) -> None:
    with page_of(browser, proxy={"server": gate.url}) as page:
        page.goto("http://llm.cache/")
        live(page)
        expect(page.locator("#purge-open")).to_be_disabled()
        expect(page.locator("#mode")).to_be_disabled()


def test_a_page_of_another_origin_can_do_nothing(
    browser: Browser, gate: ProxyProcess, through: httpx.Client, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = saying(upstream, word)
    send(through, exchange)
    with other_origin() as origin, page_of(browser, strict=False) as page:
        page.goto(origin)
        tried = page.evaluate(ATTACK, address(gate))
        assert tried.pop("frames") == 0
        assert set(tried.values()) == {"refused"}, tried
        # a name that leads to this machine is another origin, too
        reply = page.goto(f"http://rebound.example:{port_of(gate)}/")
        assert reply and reply.status == 421
    assert outcome(send(through, exchange)) == "HIT"
