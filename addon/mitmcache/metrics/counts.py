"""Counts the calls that the journal tells of."""

from collections.abc import Sequence

from mitmcache.exchange import Usage
from mitmcache.journal.event import Event
from mitmcache.metrics.families import Family, Histogram, Sample
from mitmcache.metrics.models import OTHER, Models

MOST_SERIES = 4096
"""Of one family; what would be one more is counted with every label `other`."""

ADDED = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
HIT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
UPSTREAM = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
FIRST_BYTE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

KINDS = ("input", "output", "input_cache_read", "input_cache_creation", "output_reasoning")
"""The last three are parts of the first two, as OpenTelemetry's GenAI conventions have it."""


class _Account:
    """What one ledger holds of one model. `tokens` as in KINDS."""

    __slots__ = ("dollars", "priced", "tokens", "unpriced")

    def __init__(self) -> None:
        self.tokens = [0, 0, 0, 0, 0]
        self.dollars = 0.0
        self.priced = 0
        self.unpriced = 0


class Counts:
    """A listener of the journal. What it costs per call is a few dictionary lookups.

    `families` takes a snapshot; both belong to the event loop.
    """

    def __init__(self, models: Models | None = None, most_series: int = MOST_SERIES) -> None:
        self._models = models or Models()
        self._most = most_series
        self._requests: dict[tuple[str, str, int, str, str], int] = {}
        self._accounts: dict[tuple[str, str, str], _Account] = {}
        self._added: dict[str, Histogram] = {}
        self._hit: dict[str, Histogram] = {}
        self._upstream: dict[str, Histogram] = {}
        self._first_byte: dict[tuple[str, str], Histogram] = {}

    def __call__(self, events: Sequence[Event]) -> None:
        for event in events:
            answered = 200 <= event.status < 300
            model = self._models.label(event.model, proven=answered)
            self._count_request(event, model)
            self._observe(event)
            if answered:
                if ledger := event.ledger:
                    self._enter(ledger, event, model)
                if not event.error:
                    self._enter("served", event, model)

    def families(self) -> list[Family]:
        return [
            self._requests_family(),
            *self._account_families(),
            _histograms(
                "mitmcache_added_latency_seconds",
                "From a request's last byte until it was known whether it goes upstream.",
                ("cache",),
                {(word,): found for word, found in self._added.items()},
            ),
            _histograms(
                "mitmcache_hit_duration_seconds",
                "From a hit's first byte until its answer was there, by the tier that had it.",
                ("tier",),
                {(tier,): found for tier, found in self._hit.items()},
            ),
            _histograms(
                "mitmcache_upstream_duration_seconds",
                "From when a call was let through until its answer's last byte, connecting included.",
                ("provider",),
                {(provider,): found for provider, found in self._upstream.items()},
            ),
            _histograms(
                "mitmcache_time_to_first_byte_seconds",
                "From a request's last byte until its answer's head was there.",
                ("cache", "provider"),
                self._first_byte,
            ),
        ]

    def _count_request(self, event: Event, model: str) -> None:
        key: tuple[str, str, int, str, str]
        key = (event.provider, model, event.status, event.word, event.reason)
        requests = self._requests
        if key not in requests and len(requests) >= self._most:
            key = (OTHER, OTHER, -1, OTHER, OTHER)
        requests[key] = requests.get(key, 0) + 1

    def _observe(self, event: Event) -> None:
        word = event.word
        found = self._added.get(word)
        if found is None:
            found = self._added[word] = Histogram(ADDED)
        found.observe(event.decided)
        if event.tier:
            found = self._hit.get(event.tier)
            if found is None:
                found = self._hit[event.tier] = Histogram(HIT)
            found.observe(event.duration)
        elif event.dialled and event.status:
            found = self._upstream.get(event.provider)
            if found is None:
                found = self._upstream[event.provider] = Histogram(UPSTREAM)
            found.observe(event.duration - event.received - event.decided)
        if event.first_byte is not None:
            key = word, event.provider
            found = self._first_byte.get(key)
            if found is None:
                found = self._first_byte[key] = Histogram(FIRST_BYTE)
            found.observe(event.first_byte - event.received)

    def _enter(self, ledger: str, event: Event, model: str) -> None:
        key = ledger, event.provider, model
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) >= self._most:
                key = ledger, OTHER, OTHER
            account = self._accounts.setdefault(key, _Account())
        if event.usage:
            _add(account.tokens, event.usage)
        if event.cost is None:
            account.unpriced += 1
        else:
            account.dollars += max(0.0, event.cost.total)
            account.priced += 1

    def _requests_family(self) -> Family:
        samples = [
            Sample((provider, model, _status(status), word, reason), count)
            for (provider, model, status, word, reason), count in self._requests.items()
        ]
        labels = ("provider", "model", "status", "cache", "reason")
        help = "Finished LLM calls, by the answer's status (none: no answer) and what the cache did, and why."
        return Family("mitmcache_requests_total", "counter", help, labels, samples)

    def _account_families(self) -> list[Family]:
        tokens, dollars, unpriced = [], [], []
        for (ledger, provider, model), account in self._accounts.items():
            for kind, count in zip(KINDS, account.tokens, strict=True):
                if count:
                    tokens.append(Sample((ledger, kind, provider, model), count))
            if account.priced:
                dollars.append(Sample((ledger, provider, model), account.dollars))
            if account.unpriced:
                unpriced.append(Sample((ledger, provider, model), account.unpriced))
        labels = ("ledger", "provider", "model")
        return [
            Family(
                "mitmcache_tokens_total",
                "counter",
                "Tokens by ledger: billed by providers, saved by the cache, served to callers. "
                "input_... and output_... kinds are parts of input and output.",
                ("ledger", "kind", "provider", "model"),
                tokens,
            ),
            Family(
                "mitmcache_cost_dollars_total",
                "counter",
                "US dollars at list prices, by ledger as of tokens. Calls of unknown price are not in it.",
                labels,
                dollars,
            ),
            Family(
                "mitmcache_unpriced_requests_total",
                "counter",
                "Answered calls whose price is unknown, for want of a price or of a usage.",
                labels,
                unpriced,
            ),
        ]


def _add(tokens: list[int], used: Usage) -> None:
    tokens[0] += used.input_tokens or 0
    tokens[1] += used.output_tokens or 0
    tokens[2] += used.cache_read_input_tokens or 0
    tokens[3] += used.cache_creation_input_tokens or 0
    tokens[4] += used.reasoning_output_tokens or 0


def _status(status: int) -> str:
    if status == 0:
        return "none"
    return str(status) if 100 <= status <= 599 else OTHER


def _histograms[L: tuple[str, ...]](
    name: str, help: str, labels: tuple[str, ...], found: dict[L, Histogram]
) -> Family:
    samples = [Sample(values, histogram.copy()) for values, histogram in found.items()]
    return Family(name, "histogram", help, labels, samples)
