"""A real browser, without a window: Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # a name that somebody has made lead here
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
)
SECONDS = 60.0


def program() -> str:
    """Skips where there is none; in CI there must be one."""
    found = next(filter(None, map(shutil.which, NAMES)), "")
    if not found and os.environ.get("CI") != "true":
        pytest.skip("no Chromium on this machine")
    assert found, "no Chromium on this machine"
    return found


@contextmanager
def running() -> Iterator[Browser]:
    """With a profile of its own, which goes with it."""
    path = program()
    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser: Browser, *, strict: bool = True, **context: object) -> Iterator[Page]:
    """A page with nothing kept. If `strict`, errors of its scripts, and of its policy, fail the test."""
    made = browser.new_context(**context)  # type: ignore[arg-type]
    made.set_default_timeout(SECONDS * 1000)
    page = made.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if _bad(said) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
        assert not strict or not complaints, complaints
    finally:
        made.close()


def _bad(said: ConsoleMessage) -> bool:
    """A refusal that the page shows to its user is none."""
    return said.type == "error" and not said.text.startswith("Failed to load resource")
