"""Keeps the replies worth keeping, and tells every caller what became of the call."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import replace

from mitmproxy import http

from mitmcache.addons import answers
from mitmcache.addons.calls import length, lower
from mitmcache.addons.options import Options
from mitmcache.addons.storage import Storage
from mitmcache.addons.trail import Trail, trail_of
from mitmcache.cache import admit, policy
from mitmcache.cache.status import Outcome
from mitmcache.exchange import Reply
from mitmcache.keeper import Candidate
from mitmcache.large.spool import Spool
from mitmcache.reasons import Reason
from mitmcache.tally import Tally
from mitmcache.threads import INLINE, run_for
from mitmcache.wire.forms import reader_for

logger = logging.getLogger(__name__)


class Capture:
    def __init__(self, options: Options, storage: Storage, tally: Tally) -> None:
        self._options = options
        self._storage = storage
        self._tally = tally

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        trail, response = trail_of(flow), flow.response
        if response is None or trail.outcome is None or trail.answer is not None:
            return
        # a refusal is short, and a later addon may want to replace it: only an answer is streamed
        if not 200 <= response.status_code < 300 or not self._streams(trail, response):
            return
        outcome = self._outcome(trail, response)
        # another addon's function is left in place, and what it makes of the stream is not for others
        theirs = callable(response.stream)
        if not theirs:
            trail.keeps = _may_keep(flow, trail) and response.status_code == 200
            if trail.keeps and length(response.headers) > self._options.current.max_body:
                trail.keeps = False
                self._drop(trail, Reason.TOO_LARGE)
                outcome = replace(outcome, detail=Reason.TOO_LARGE)
            # what is not kept is heard too: it tells what it has used
            if trail.keeps or length(response.headers) <= self._storage.keeper.in_memory:
                trail.tap = self._storage.keeper.tap(kept=trail.keeps)
        response.stream = response.stream if theirs else trail.tap or True
        trail.outcome = outcome
        answers.tell(response, outcome)

    def response(self, flow: http.HTTPFlow) -> Coroutine[None, None, None] | None:
        # without a coroutine for what needs none: hits, for which mitmproxy then needs no task
        trail, response = trail_of(flow), flow.response
        if response is None or trail.outcome is None or trail.answer is not None:
            pass
        elif response.stream:
            self._heard(flow, clean_end=True)
        elif not self._covered(flow, trail, response):
            return self._whole(flow, trail, response)
        trail.forget()
        return None

    def error(self, flow: http.HTTPFlow) -> None:
        # openai-python closes its socket right after `[DONE]`: mitmproxy then reports a disconnect for a
        # stream that was whole
        self._heard(flow, clean_end=False)
        trail_of(flow).forget()

    async def _whole(self, flow: http.HTTPFlow, trail: Trail, response: http.Response) -> None:
        trail.outcome = await self._judge(flow, trail, response)
        answers.tell(response, trail.outcome)
        trail.forget()

    def _streams(self, trail: Trail, response: http.Response) -> bool:
        """Decided from request and response. What is too large for memory goes out chunk by chunk too."""
        call, media_type = trail.call, response.headers.get("content-type", "").lower()
        if call is None or trail.body is None:
            return bool(reader_for(media_type))
        return bool(
            response.stream
            or reader_for(media_type)
            or call.dialect.streams(call.path, trail.body.seen)
            or (call.dialect.opaque and "json" not in media_type)
            or length(response.headers) > self._storage.keeper.in_memory
        )

    def _outcome(self, trail: Trail, response: http.Response, kept: Reason | bool = False) -> Outcome:
        """What is known so far: the upstream's status and, on a miss, where the nearest request differs.

        A reply that its caller does not want kept is counted here: no other hook will look at it. `kept`: it
        is, or why not.
        """
        assert trail.outcome is not None
        detail = trail.outcome.detail
        if trail.lookup and not trail.lookup.write:
            kept = trail.lookup.unwritten
        if isinstance(kept, Reason):
            self._drop(trail, kept)
            detail, kept = kept, False
        elif trail.near:
            detail = answers.places(trail.near) or detail
        return replace(trail.outcome, fwd_status=response.status_code, stored=kept, detail=detail)

    async def _judge(self, flow: http.HTTPFlow, trail: Trail, response: http.Response) -> Outcome:
        kept = await self._keep(trail, response) if _may_keep(flow, trail) else False
        return self._outcome(trail, response, kept)

    async def _keep(self, trail: Trail, response: http.Response) -> Reason | bool:
        """Hands a reply to the keeper, or says why not. False: it is too large to be judged here."""
        assert trail.call is not None
        if response.status_code != 200:
            return Reason.STATUS
        limit = self._storage.keeper.in_memory
        reply = _reply(response, response.raw_content or b"")
        try:
            plain = admit.decoded(reply, min(INLINE, limit))
            if plain is Reason.TOO_LARGE and len(reply.body) <= limit:
                plain = await asyncio.to_thread(admit.decoded, reply, limit)
            if plain is Reason.TOO_LARGE and limit < self._options.current.max_body:
                return self._entrust(trail, reply, judged=False)
            if isinstance(plain, Reason):
                return plain
            reason = await run_for(len(plain.body), admit.admit, trail.call, plain)
        except Exception:
            # open: what cannot be judged is not kept
            logger.warning("mitmcache: a reply could not be judged", exc_info=True)
            return Reason.STORE_ERROR
        if reason:
            return reason
        return self._entrust(trail, plain, judged=True)

    def _entrust(self, trail: Trail, reply: Reply, *, judged: bool) -> Reason | bool:
        if not self._storage.budget.take(len(reply.body)):
            return Reason.QUEUE_FULL
        self._offer(trail, reply, charged=len(reply.body), judged=judged)
        return judged

    def _heard(self, flow: http.HTTPFlow, *, clean_end: bool) -> None:
        """The end of a stream, however it came."""
        trail = trail_of(flow)
        tap, trail.tap = trail.tap, None
        if tap is None or flow.response is None:
            return
        if tap.lost:
            if trail.keeps:
                self._drop(trail, Reason.TOO_LARGE if tap.too_large else Reason.QUEUE_FULL)
            return
        heard = tap.take()
        if isinstance(heard, bytes):
            # it has been sent already: this is for mitmweb, for saved flows and for the journal
            flow.response.raw_content = heard
            if trail.keeps:
                self._offer(trail, _reply(flow.response, heard), charged=len(heard), clean_end=clean_end)
            else:
                self._storage.budget.give(len(heard))
        else:
            self._offer(trail, _reply(flow.response, b""), spool=heard, clean_end=clean_end)

    def _drop(self, trail: Trail, reason: Reason) -> None:
        self._tally.dropped[reason] += 1
        trail.unstored = reason

    def _offer(
        self,
        trail: Trail,
        reply: Reply,
        *,
        charged: int = 0,
        spool: Spool | None = None,
        judged: bool = False,
        clean_end: bool = True,
    ) -> None:
        assert trail.call and trail.likeness and trail.lookup
        trail.created = now = time.time()
        self._storage.run.add(trail.key, now)
        self._storage.keeper.offer(
            Candidate(
                key=trail.key,
                call=trail.call,
                model=trail.model,
                likeness=trail.likeness,
                reply=reply,
                created=now,
                expires=answers.expires(now, trail.lookup.ttl),
                clean_end=clean_end,
                judged=judged,
                charged=charged,
                host=trail.call.host,
                tags=trail.tags,
                generation=trail.generation,
                spool=spool,
            )
        )

    def _covered(self, flow: http.HTTPFlow, trail: Trail, response: http.Response) -> bool:
        """stale-if-error: the expired answer instead of the upstream's failure."""
        if trail.stale is None:
            return False
        age = policy.age(trail.stale.created, trail.stale.expires, time.time())
        if not policy.may_cover_error(age, trail.asked, response.status_code):
            return False
        trail.outcome = Outcome("STALE", ttl=age.ttl, age=age.age, detail=f"status-{response.status_code}")
        trail.created = trail.stale.created
        trail.answer = flow.response = answers.from_record(flow.request, trail.stale, trail.outcome)
        self._tally.misses -= 1
        self._tally.hits += 1
        return True


def _may_keep(flow: http.HTTPFlow, trail: Trail) -> bool:
    """The caller lets it be kept, and it is the upstream's reply to the very request that was looked up."""
    if trail.lookup is None or not trail.lookup.write:
        return False
    # mitmproxy's map_local or server_replay, or a script, answers after us: then nobody was dialled
    if flow.server_conn.timestamp_start is None and flow.server_conn.via is None:
        return False
    # edited by hand while it was intercepted; a replay is edited before it starts
    return bool(flow.is_replay) or not flow.modified()


def _reply(response: http.Response, data: bytes) -> Reply:
    headers = response.headers
    framed = (
        response.is_http2
        or response.is_http3
        or "content-length" in headers
        or "chunked" in headers.get("transfer-encoding", "").lower()
    )
    return Reply(response.status_code, lower(headers), data, framed)
