"""What the API says of a call: names that stay, and nothing of a prompt, an answer or a credential.

Times are Unix seconds, durations seconds, money US dollars, sizes bytes. None: it is not known.
"""

from dataclasses import asdict

from mitmcache.journal.event import Event

type Document = dict[str, object]


def call(event: Event) -> Document:
    """A line in the list of calls."""
    used = event.usage
    return {
        "id": event.id,
        "at": event.began,
        "client": event.client,
        "agent": event.agent,
        "provider": event.provider,
        "host": event.host,
        "operation": event.operation,
        "model": event.model,
        "verdict": event.word,
        "reason": event.reason,
        "differs": list(event.differs[:1]),
        "unstored": event.unstored,
        "tier": event.tier,
        "status": event.status,
        "error": event.error,
        "streamed": event.streamed,
        "duration": event.duration,
        "first_byte": event.first_byte,
        "input_tokens": used.input_tokens if used else None,
        "output_tokens": used.output_tokens if used else None,
        "cost": event.cost.total if event.cost else None,
        "ledger": event.ledger,
    }


def detail(event: Event) -> Document:
    """All that is known of it."""
    used = asdict(event.usage) if event.usage else {}
    return {
        **call(event),
        "dialect": event.dialect,
        "key": event.key,
        "nearest": event.nearest,
        "differs": list(event.differs),
        "request_size": event.request_size,
        "response_size": event.response_size,
        "decided": event.decided,
        "dialled": event.dialled,
        "usage": {name: count for name, count in used.items() if count is not None},
        "costs": event.cost._asdict() if event.cost else None,
    }
