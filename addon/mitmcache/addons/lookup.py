"""Answers a call from the cache, or says why it goes upstream."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import replace

from mitmproxy import http

from mitmcache.addons import answers, listeners
from mitmcache.addons.calls import host_of, proxy_user
from mitmcache.addons.options import Options
from mitmcache.addons.relayed import Relayed
from mitmcache.addons.samples import Samples
from mitmcache.addons.storage import Storage
from mitmcache.addons.trail import Trail, answered, trail_of
from mitmcache.cache import body, directives, key, policy, rules, scope
from mitmcache.cache.known import Known, KnownRequests, mark
from mitmcache.cache.likeness import Likeness
from mitmcache.cache.policy import Bypass, Freshness, Mode, Serve
from mitmcache.cache.record import ForeignVersion, Record
from mitmcache.cache.scope import Scope
from mitmcache.cache.shape import Near
from mitmcache.cache.status import Outcome, Word
from mitmcache.exchange import Call, header
from mitmcache.finder import Found
from mitmcache.large import records
from mitmcache.large.records import LargeRecord
from mitmcache.providers import catalogue
from mitmcache.reasons import Reason
from mitmcache.selection import About
from mitmcache.tally import Tally
from mitmcache.threads import run_for

logger = logging.getLogger(__name__)

MISSED_AMONG = 8
REFUSED_AMONG = 64
"""Stored requests that a miss is compared with: few where the call goes on, and all this is is a hint."""

LATER = 1e-6
"""Seconds: no time, but a timer, which the loop looks at when it has done all that is to be done now."""

THIS_RUN = "this-run"
"""The word for an answer that llm_serve=earlier-runs keeps back."""


class Lookup:
    def __init__(
        self, options: Options, storage: Storage, tally: Tally, relayed: Relayed, samples: Samples
    ) -> None:
        self._options = options
        self._storage = storage
        self._tally = tally
        self._relayed = relayed
        self._samples = samples
        self._known = KnownRequests()

    def request(self, flow: http.HTTPFlow) -> Coroutine[None, None, None] | None:
        trail = trail_of(flow)
        if answered(flow):
            return None
        if trail.call is None:
            self._pass(flow, trail)
        elif not self._again(flow, trail, trail.call):
            return self._request(flow, trail, trail.call)
        return None  # without a coroutine, for which mitmproxy would need a task

    async def _request(self, flow: http.HTTPFlow, trail: Trail, call: Call) -> None:
        try:
            answers.take_off(flow.request)
            decision = await self._decide(flow, trail, call)
            if isinstance(decision, Reason):
                self._bypass(flow, trail, decision)
            else:
                await self._look_up(flow, trail, decision)
        except Exception:
            # open: the call goes on as if we were not there
            logger.warning("mitmcache: a lookup failed", exc_info=True)
            trail.lookup = None
            self._bypass(flow, trail, Reason.STORE_ERROR)
        trail.decided = time.time()

    def _again(self, flow: http.HTTPFlow, trail: Trail, call: Call) -> bool:
        """Answers a request that was here before, to the byte. False: it has to be looked at."""
        try:
            trail.mark = mark(call, proxy_user(flow))
            known = self._known.get(trail.mark, call, self._options.current)
            if known is None or flow.is_replay or not (found := self._storage.at_hand(known.key)):
                return False
            trail.asked, trail.model, trail.lookup, trail.key = known
            trail.tags = known.lookup.tags
            outcome = self._outcome(trail, found.record)
            if isinstance(outcome, Outcome) and isinstance(found.record, Record):
                answers.take_off(flow.request)
                response = answers.from_record(flow.request, found.record, outcome)
                self._give(flow, trail, found, response, outcome)
                trail.decided = time.time()
                return True
        except Exception:
            logger.warning("mitmcache: what is known of a request could not be used", exc_info=True)
        return False

    def _pass(self, flow: http.HTTPFlow, trail: Trail) -> None:
        """No inference call: none of our business, but that offline nothing goes to a provider."""
        settings = self._options.current
        if settings.mode is Mode.OFFLINE and (dialect := catalogue.spoken(host_of(flow), settings.hosts)):
            message = "llm_mode=offline, and this is no call that is ever cached"
            outcome = Outcome("BYPASS", fwd="bypass")
            _answer(flow, trail, answers.gateway_timeout(dialect.name, outcome, message))

    async def _decide(self, flow: http.HTTPFlow, trail: Trail, call: Call) -> policy.Lookup | Reason:
        settings, user = self._options.current, proxy_user(flow)
        trail.asked = directives.parse(call.headers)
        trail.body = await _read_body(call)
        trail.model = call.dialect.model(call.path, trail.body.seen)
        rule = rules.first(settings.policy, call.host, trail.model, call.path, user)
        decision = policy.decide(
            call,
            trail.body.seen,
            trail.asked,
            rule,
            mode=settings.mode,
            ttl=settings.ttl,
            scope=settings.scope,
            max_body=settings.max_body,
        )
        if isinstance(decision, Bypass):
            return decision.reason
        if rule.volatile:
            trail.body = await _read_body(call, rule.volatile)
        who = scope.caller(call)
        shared_by = scope.effective(decision.scope, user)
        if who.sigv4 and shared_by is Scope.CREDENTIAL and not listeners.on_loopback():
            return Reason.SIGV4
        owner = scope.label(shared_by, who, user)
        parts = key.ingredients(call, trail.body, owner, trail.asked.key)
        trail.likeness = self._storage.likeness(parts, trail.body)
        trail.key = await run_for(len(call.body), key.digest, parts)
        if decision.read and decision.variants == 1 and not who.sigv4:
            self._known.put(trail.mark, call, settings, Known(trail.asked, trail.model, decision, trail.key))
        return decision

    async def _look_up(self, flow: http.HTTPFlow, trail: Trail, decision: policy.Lookup) -> None:
        assert trail.call is not None and trail.likeness is not None
        trail.lookup, trail.tags = decision, decision.tags
        # before anybody is asked: what is purged from now on is purged with this answer
        trail.generation = self._storage.generation()
        refused = self._options.current.mode is Mode.OFFLINE or trail.asked.only_if_cached
        read = decision.read and not flow.is_replay
        about = About(trail.call.provider.name, trail.call.host, trail.model)
        try:
            found = await self._samples.find(trail, about, read=read, refused=refused)
        except ForeignVersion:
            found = None
            trail.lookup = replace(decision, write=False, unwritten=Reason.VERSION)
        fwd = "uri-miss" if read else "request"
        if found and not (fwd := await self._serve(flow, trail, found)):
            return
        self._tally.misses += 1
        trail.outcome = Outcome("MISS", fwd=fwd, detail=trail.note)
        explaining = asyncio.create_task(self._explain(trail, about, trail.likeness, later=not refused))
        if refused:
            near = await explaining
            trail.outcome = Outcome("MISS", fwd=fwd, detail=answers.places(near))
            message, dialect = answers.explanation(near), trail.call.dialect.name
            _answer(flow, trail, answers.gateway_timeout(dialect, trail.outcome, message, near))
        else:
            trail.explaining = explaining

    async def _explain(self, trail: Trail, about: About, likeness: Likeness, *, later: bool) -> Near | None:
        """With `later`, once the call has gone upstream. The flow may end before this begins: then the trail
        has forgotten its likeness."""
        if later:
            await asyncio.sleep(LATER)
        among = MISSED_AMONG if later else REFUSED_AMONG
        why = trail.note or (trail.outcome.fwd if trail.outcome else "")
        trail.near = await self._storage.explain(trail.key, about, why, likeness, among, lately=later)
        return trail.near

    async def _serve(self, flow: http.HTTPFlow, trail: Trail, found: Found) -> str:
        """Answers with the record where it may be; else gives RFC 9211's word for why it is not."""
        record = found.record
        outcome = self._outcome(trail, record)
        if isinstance(outcome, str):
            found.close()
            return outcome
        response = None
        if not isinstance(record, LargeRecord):
            response = answers.from_record(flow.request, record, outcome)
        elif not await self._relayed.serve(flow, record, outcome):
            whole = await asyncio.to_thread(records.whole, record)
            response = answers.from_record(flow.request, whole, outcome)
        self._give(flow, trail, found, response, outcome)
        return ""

    def _outcome(self, trail: Trail, record: Record | LargeRecord) -> Outcome | str:
        """Of a hit; else the word for why it is none. What is stale may still be of use to the trail."""
        now, settings = time.time(), self._options.current
        if settings.serve is Serve.EARLIER_RUNS and self._storage.run.has(record.key, record.created):
            trail.note = THIS_RUN
            return "miss"
        age = policy.age(record.created, record.expires, now)
        fresh = policy.freshness(age, trail.asked, offline=settings.mode is Mode.OFFLINE)
        if record.created > now + policy.CLOCK_SKEW:
            return "uri-miss"
        if fresh in (Freshness.STALE, Freshness.REQUEST):
            if not isinstance(record, LargeRecord):
                trail.stale = record
            return fresh.value
        word: Word = "HIT" if fresh is Freshness.FRESH else "STALE"
        return Outcome(word, ttl=age.ttl, age=age.age, detail=trail.note)

    def _give(
        self,
        flow: http.HTTPFlow,
        trail: Trail,
        found: Found,
        response: http.Response | None,
        outcome: Outcome,
    ) -> None:
        """With no response, the relay has one."""
        if response:
            _answer(flow, trail, response)
        self._tally.hits += 1
        trail.tier, trail.created, trail.outcome = found.tier, found.record.created, outcome

    def _bypass(self, flow: http.HTTPFlow, trail: Trail, reason: Reason) -> None:
        self._tally.bypassed[reason] += 1
        trail.outcome = Outcome("BYPASS", fwd="bypass", detail=reason)
        if self._options.current.mode is Mode.OFFLINE:
            message = f"llm_mode=offline, and this call is never answered from the cache: {reason}"
            dialect = trail.route[1].name if trail.route else ""
            _answer(flow, trail, answers.gateway_timeout(dialect, trail.outcome, message))


async def _read_body(call: Call, volatile: tuple[str, ...] = ()) -> body.Body:
    """`volatile`: paths that do not count either."""
    content_type, dialect = header(call.headers, "content-type"), call.dialect
    if volatile:
        dialect = replace(dialect, volatile=(*dialect.volatile, *volatile))
    return await run_for(len(call.body), body.read, call.body, content_type, dialect)


def _answer(flow: http.HTTPFlow, trail: Trail, response: http.Response) -> None:
    flow.response = trail.answer = response
