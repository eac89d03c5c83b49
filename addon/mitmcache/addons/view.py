"""LLM calls as text in mitmweb, mitmproxy and mitmdump; every other view stays a click away."""

import re
from contextlib import suppress
from urllib.parse import unquote

from mitmproxy import contentviews, http
from mitmproxy.addonmanager import Loader
from mitmproxy.contentviews import Contentview, Metadata, SyntaxHighlight

from mitmcache.addons.calls import host_of, lower
from mitmcache.addons.options import Options
from mitmcache.addons.trail import trail_of
from mitmcache.journal.ledgers import dollars
from mitmcache.providers import catalogue
from mitmcache.wire.coding import CodingError, decode

MOST = 8 << 20
"""Bytes: a larger body is left to the other views, for the event loop waits while one is written."""

_OURS = re.compile(r"(?:^|, )mitmcache((?:; .*)?)$")  # the last member is the nearest cache's


class LlmContentview(Contentview):
    """Chosen by itself for what it can read of the calls that the catalogue names; -1 for all else."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._last: tuple[object, str | None] = (None, None)  # asked for twice: priority, then text
        self.retired = False

    @property
    def name(self) -> str:
        return "LLM"

    @property
    def syntax_highlight(self) -> SyntaxHighlight:
        return "none"

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        # JSON's is 1, GraphQL's 2
        return 3 if not self.retired and self._text(data, metadata) else -1

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        text = self._text(data, metadata)
        if text is None:
            raise ValueError("nothing that is known of an LLM call")
        message = metadata.http_message
        if not isinstance(message, http.Response) or not isinstance(metadata.flow, http.HTTPFlow):
            return text
        head = [line for line in (verdict(message), cost(metadata.flow)) if line]
        return "\n".join([*head, "", text]) if head else text

    def _text(self, data: bytes, metadata: Metadata) -> str | None:
        flow, message = metadata.flow, metadata.http_message
        if not isinstance(flow, http.HTTPFlow) or message is None or not 0 < len(data) <= MOST:
            return None
        dialect = self._dialect(flow)
        if dialect is None:
            return None
        from mitmcache.reading import transcript  # a tenth of the start, for who looks at a call

        kind = type(message), message.headers.get("content-type", "")
        key = (flow.id, dialect, kind, len(data), hash(data))
        if self._last[0] != key:
            read = transcript.of_request if isinstance(message, http.Request) else transcript.of_reply
            self._last = key, read(dialect, lower(message.headers), _plain(data, message))
        return self._last[1]

    def _dialect(self, flow: http.HTTPFlow) -> str | None:
        """By its way through us, or of a flow that was loaded from a file, by its address."""
        route = trail_of(flow).route
        if route is None:
            path = unquote(flow.request.path.partition("?")[0], errors="replace")
            hosts = self._options.current.hosts
            route = catalogue.find(host_of(flow), flow.request.method, path, hosts)
        return route[1].name if route else None


def _plain(data: bytes, message: http.Message) -> bytes:
    """mitmproxy cannot decode a stream that was cut off: then what there is of it is decoded here."""
    coding = message.headers.get("content-encoding", "")
    if coding and data == message.raw_content:
        with suppress(CodingError):
            return decode(data, coding, MOST, partial=True)
    return data


def verdict(response: http.Response) -> str:
    """`cache: HIT; hit; ttl=60; age 12 s`, "" where the reply bears none of ours."""
    ours = _OURS.search(response.headers.get("cache-status", ""))
    if not ours:
        return ""
    age = response.headers.get("age")
    aged = f"; age {age} s" if age and "; hit" in ours[1] else ""
    return f"cache: {response.headers.get('x-cache', '')}{ours[1]}{aged}"


def cost(flow: http.HTTPFlow) -> str:
    """`cost: $0.0042 saved`, "" where that is not known (yet)."""
    event = trail_of(flow).event
    if event is None or event.cost is None:
        return ""
    return f"cost: {dollars(event.cost.total)} {event.ledger}".rstrip()


class LlmView:
    """mitmproxy has no way to take a view out: on our way out ours steps back, and a new one replaces it.

    The class is not called View: mitmproxy has an addon of that name.
    """

    def __init__(self, options: Options) -> None:
        self._view = LlmContentview(options)

    def load(self, loader: Loader) -> None:
        contentviews.add(self._view)

    def done(self) -> None:
        self._view.retired = True
