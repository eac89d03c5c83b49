"""One finished call, in the words that log, metrics, traces and history share."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from mitmcache.cache.status import Word
from mitmcache.exchange import Usage
from mitmcache.journal.trace import Parent

type Ledger = Literal["billed", "saved", ""]


class Cost(NamedTuple):
    """US dollars at the provider's list prices. `input` and `output` add up to `total`, but where a price is
    for something else, such as the request itself.

    `cache_savings`: how much more it would have been without the provider's own prompt cache; less than 0
    where writing to it cost more than reading from it saved.
    """

    input: float
    output: float
    total: float
    cache_savings: float


@dataclass(slots=True)
class Event:
    """Times are Unix seconds, durations seconds, sizes bytes as sent. Nobody changes an event that was told.

    Nothing of the prompt, the answer or a credential is in it: `differs` names places, never values.
    """

    id: str
    """mitmproxy's own of the flow."""
    began: float
    """When the first byte of the request came."""
    duration: float
    """Until the answer's last byte was there to be sent."""
    client: str
    """The user whom mitmproxy's proxyauth has verified, else the address without its port."""
    agent: str
    """The first product of User-Agent, such as `OpenAI/Python 3.52.0`; whatever the client says."""
    provider: str
    host: str
    dialect: str
    operation: str
    """gen_ai.operation.name."""
    model: str
    """As asked for, "" where the request names none; whatever the client says."""
    word: Word
    reason: str
    """Of a bypass, the Reason; of a miss, RFC 9211's `fwd`; else ""."""
    unstored: str
    """The Reason why a miss was not kept, as far as that is known at its end; else ""."""
    tier: str
    """Where the answer came from: memory, disk, bucket; "" from upstream."""
    key: str
    """"" where none was made."""
    nearest: str
    """The key of the most alike stored request, "" where none is known."""
    differs: tuple[str, ...]
    """Where it differs from the nearest: JSON paths."""
    status: int
    """0: there was no answer."""
    error: str
    """mitmproxy's own words where the call broke off, else ""."""
    streamed: bool
    request_size: int
    response_size: int
    """0 where nobody counted: a stream that was neither kept nor listened to."""
    decided: float
    """Duration from the request's last byte until it was known whether it goes upstream."""
    first_byte: float | None
    """Duration from `began` until the answer's head was there. None: there was none."""
    dialled: bool
    """It went upstream."""
    response_model: str = ""
    """As the answer names it, "" where it does not: gen_ai.response.model. Whatever the upstream says."""
    service_tier: str = ""
    """As the answer names it, such as `flex`, which may have prices of its own; "" where it does not, and for
    the `standard` one."""
    received: float = 0.0
    """Duration from `began` until the request's last byte was here."""
    port: int = 0
    """Of `host`; 0: unknown."""
    parent: Parent | None = None
    """The caller's span, where it named one."""
    usage: Usage | None = None
    """What the provider said, now or when the stored answer was made. None: nothing."""
    cost: Cost | None = None
    """What that costs. None: unknown, which is not zero."""

    @property
    def ledger(self) -> Ledger:
        """To whom the usage counts: the provider's bill, or what the cache has saved. What the callers were
        served is both, where there is an answer (`served`)."""
        if self.word in ("HIT", "STALE"):
            return "saved"
        return "billed" if self.dialled else ""

    @property
    def served(self) -> bool:
        """The caller got an answer, and all of it."""
        return 200 <= self.status < 300 and not self.error
