"""A stream passes chunk by chunk, and is stored only when it was heard to its end."""

from dataclasses import replace

import httpx
import pytest

import exchanges
from e2e.answers import Coding, Gate
from e2e.client import (
    answer_of,
    outcome,
    register,
    request,
    send,
)
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange

CODINGS: tuple[Coding, ...] = ("", "gzip", "deflate", "br", "zstd")


def read_gated(through: httpx.Client, exchange: Exchange, gate: Gate, **headers: str) -> list[bytes]:
    """Opens the gate for an event only when all that came before has arrived: else it never ends."""
    got: list[bytes] = []
    gate.open()
    reply = through.send(request(exchange, **headers), stream=True)
    for piece in reply.iter_bytes():
        if piece:
            got.append(piece)
            gate.open()
    reply.close()
    return got


@pytest.mark.parametrize("exchange", exchanges.STREAMS, ids=lambda exchange: exchange.name)
def test_each_chunk_arrives_before_the_next_is_sent(
    exchange: Exchange, upstream: ScriptedUpstream, h1: httpx.Client, word: str
) -> None:
    exchange, gate = exchange.saying(word), Gate()
    register(upstream, exchange, replace(answer_of(exchange), gate=gate))
    assert tuple(read_gated(h1, exchange, gate)) == exchange.events
    assert outcome(send(h1, exchange)) == "HIT"


@pytest.mark.parametrize("exchange", exchanges.STREAM_FORMS, ids=lambda exchange: exchange.name)
@pytest.mark.parametrize("coding", CODINGS)
def test_each_chunk_arrives_over_http2_and_in_every_coding(
    exchange: Exchange, coding: Coding, upstream: ScriptedUpstream, h2: httpx.Client, word: str
) -> None:
    exchange, gate = exchange.saying(word), Gate()
    register(upstream, exchange, replace(answer_of(exchange), gate=gate, coding=coding))
    assert b"".join(read_gated(h2, exchange, gate)) == exchange.answer
    again = send(h2, exchange, accept_encoding=coding or "identity")
    assert (outcome(again), again.content) == ("HIT", exchange.answer)
