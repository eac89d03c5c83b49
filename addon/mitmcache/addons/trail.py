"""What one flow has been through: facts, each with one writer; the only thing that addons share."""

import asyncio
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from mitmproxy import http

from mitmcache.cache.body import Body
from mitmcache.cache.directives import NOTHING, Directives
from mitmcache.cache.likeness import Likeness
from mitmcache.cache.policy import Lookup
from mitmcache.cache.record import Record
from mitmcache.cache.shape import Near
from mitmcache.cache.status import Outcome
from mitmcache.cache.tap import Tap
from mitmcache.cache.turns import Turns
from mitmcache.exchange import Call
from mitmcache.journal.event import Event
from mitmcache.large.spool import Spool
from mitmcache.providers.base import Dialect, Provider


@dataclass(slots=True, eq=False)
class Trail:
    """`route`, its `host`, what that was `named` by, and `call` are written by Calls (in recorded tests,
    `call` once more by Anybody), `tap`, `keeps`, `unstored` and `outcome`'s last word by Capture, `making`
    and, of several variants, `key` and `note` by Samples, `event` by Journaling, the rest by Lookup.

    `mark` stands for the request to the byte, "" for none. `answer` is the response that we made ourselves,
    `tier` where its record came from. `generation` is the newest purge that was known when the request
    began. `note` is told beside the outcome. `decided` is when it was known whether the call goes upstream,
    `created` when the record was made that was served or is to be kept: both in Unix seconds, 0 for not yet.
    What the tap hears is kept if it `keeps`. The `event` is there once the call is over, and knows its usage
    and cost soon after.
    """

    route: tuple[Provider, Dialect] | None = None
    host: str = ""
    named: tuple[object, ...] = ()
    call: Call | None = None
    body: Body | None = None
    model: str = ""
    mark: bytes = b""
    asked: Directives = NOTHING
    lookup: Lookup | None = None
    likeness: Likeness | None = None
    key: str = ""
    tags: tuple[str, ...] = ()
    generation: int = 0
    stale: Record | None = None
    note: str = ""
    making: tuple[Turns, int] | None = None
    explaining: "asyncio.Task[Near | None] | None" = None
    near: Near | None = None
    answer: http.Response | None = None
    tier: str = ""
    decided: float = 0.0
    created: float = 0.0
    tap: Tap[Spool] | None = None
    keeps: bool = False
    unstored: str = ""
    outcome: Outcome | None = None
    event: Event | None = None

    def forget(self) -> None:
        """Lets go of what only the way to the end needed: mitmweb keeps the flow, and so the trail."""
        self.call = self.body = self.likeness = None
        self.stale = self.explaining = self.tap = None


_trails: WeakKeyDictionary[http.HTTPFlow, Trail] = WeakKeyDictionary()


def trail_of(flow: http.HTTPFlow) -> Trail:
    """The flow's own, made at first sight. It goes with the flow."""
    return _trails.get(flow) or new_trail(flow)


def new_trail(flow: http.HTTPFlow) -> Trail:
    """For the start of a flow, which may be its second: mitmproxy replays a flow as the same object."""
    trail = _trails[flow] = Trail()
    return trail


def answered(flow: http.HTTPFlow) -> bool:
    """A request hook stands aside then: somebody refused or answered already, or the flow is not live."""
    return flow.response is not None or flow.error is not None or not flow.live
