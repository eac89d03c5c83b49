"""What addons ask of mitmproxy at every request: options, and its own page."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import optmanager
from mitmproxy.addons import onboarding
from mitmproxy.test import taddons, tflow

from mitmcache import shortcuts


@pytest.fixture(autouse=True)
def none_installed() -> Iterator[None]:
    shortcuts.uninstall()
    yield
    shortcuts.uninstall()


OPTIONS = st.one_of(
    st.tuples(st.just(str), st.text(max_size=3), st.one_of(st.none(), st.text(max_size=3))),
    st.tuples(st.just(int | None), st.one_of(st.none(), st.integers()), st.one_of(st.none(), st.integers())),
    st.tuples(st.just(Sequence[str]), st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3))),
)


@given(OPTIONS, st.booleans())
def test_an_option_has_the_same_value_and_nobody_can_change_it(option: Any, given: bool) -> None:
    kind, default, value = option
    made = optmanager._Option("name", kind, default, "", None)
    if given and value is not None:
        made.set(value)
    expected = made.current()
    shortcuts.install()
    try:
        assert made.current() == expected and type(made.current()) is type(expected)
        if isinstance(expected, list):
            made.current().append("more")
            assert made.current() == expected
    finally:
        shortcuts.uninstall()


@pytest.mark.parametrize(
    ("host", "wanted", "answers"),
    [("mitm.it", True, True), ("mitm.it", False, False), ("other.example", True, False)],
)
async def test_mitmproxys_own_page_is_answered_and_nothing_else(
    host: str, wanted: bool, answers: bool
) -> None:
    shortcuts.install()
    addon, flow = onboarding.Onboarding(), tflow.tflow()
    flow.request.host, flow.request.path = host, "/"
    with taddons.context(addon) as context:
        context.configure(addon, onboarding=wanted)
        serving = addon.request(flow)
        assert (serving is not None) == answers
        if serving:
            await serving
            assert flow.response and b"mitmproxy" in (flow.response.content or b"")
