"""A disk that is read-only, full, or lying, and a proxy that is killed, cost hits and nothing else."""

import base64
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import exchanges
from e2e.answers import Gate
from e2e.client import TIMEOUT, answer_of, calls, client, outcome, register, request, send, store
from e2e.conftest import MakeProxy
from e2e.proxy import ProxyProcess
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange

CHAT = exchanges.openai.CHAT
LARGE = 192 * 1024
"""Bytes of an answer that the disk store keeps in a file of its own."""

type Mount = Callable[..., Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Makes a small file system; requested before the proxy, so that it outlives it."""
    folder = tmp_path / "mounted"
    folder.mkdir()

    def run(*command: str) -> bool:
        return subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False).returncode == 0

    def make(size: str, *, read_only: bool = False) -> Path:
        options = f"size={size}" + (",ro" if read_only else "")
        if not run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)):
            pytest.skip("needs the right to mount")
        return folder

    yield make
    run("umount", str(folder))


def sized(word: str, size: int) -> Exchange:
    """An exchange whose answer no compression makes smaller than three quarters of `size` bytes."""
    noise = base64.b64encode(random.Random(word).randbytes(size * 3 // 4))
    return replace(CHAT.saying(word), reply=CHAT.reply[:-1] + b',"x":"' + noise + b'"}')


def check_works(proxy: ProxyProcess, upstream: ScriptedUpstream, exchange: Exchange) -> None:
    """A new call is answered, and its repetition is a hit: from memory, if nothing else."""
    register(upstream, exchange)
    with client(proxy) as through:
        replies = [send(through, exchange) for _ in range(2)]
    assert [(outcome(reply), reply.content) for reply in replies] == [
        ("MISS", exchange.answer),
        ("HIT", exchange.answer),
    ]


def test_a_folder_that_cannot_be_written_leaves_the_memory(
    mount: Mount, make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = make_proxy(llm_data_dir=str(mount("1m", read_only=True)))
    assert str(proxy.data_dir) in proxy.wait_line("answers are kept in memory alone")
    check_works(proxy, upstream, CHAT.saying(word))


def test_a_full_disk_costs_hits_and_nothing_else(
    mount: Mount, make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = make_proxy(llm_data_dir=str(mount("3m")), llm_memory="1m")
    many = [sized(f"{word}{number}", LARGE) for number in range(40)]
    with client(proxy) as through:
        for exchange in many:
            register(upstream, exchange)
            assert send(through, exchange).content == exchange.answer
        proxy.stats()
        for exchange in many:
            register(upstream, exchange)
            reply = send(through, exchange)
            assert (reply.status_code, reply.content) == (200, exchange.answer)
    check_works(proxy, upstream, CHAT.saying(f"{word}x"))
    assert proxy.stop() == 0


def test_a_full_disk_is_used_again_when_it_has_room(
    mount: Mount, make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    folder = mount("3m")
    proxy = make_proxy(llm_data_dir=str(folder / "data"), llm_memory="1m")
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        try:
            while True:
                os.write(file.fileno(), bytes(4096))
        except OSError:
            pass
    check_works(proxy, upstream, sized(word, LARGE))
    ballast.unlink()
    kept = CHAT.saying(f"{word}x")
    check_works(proxy, upstream, kept)
    assert proxy.stop() == 0
    proxy.start()
    with client(proxy) as through:
        assert outcome(send(through, kept)) == "HIT"


def stored_on_disk(make_proxy: MakeProxy, upstream: ScriptedUpstream, exchange: Exchange) -> ProxyProcess:
    """A stopped proxy with the answer in its folder."""
    proxy = make_proxy()
    register(upstream, exchange)
    with client(proxy) as through:
        store(through, proxy, exchange)
    assert proxy.stop() == 0
    return proxy


def files(proxy: ProxyProcess) -> list[Path]:
    return [path for path in proxy.data_dir.rglob("*") if path.is_file()]


def test_a_damaged_record_is_a_miss_and_is_replaced(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = sized(word, LARGE)
    proxy = stored_on_disk(make_proxy, upstream, exchange)
    largest = max(files(proxy), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 0x40
    largest.write_bytes(data)
    proxy.start()
    with client(proxy) as through:
        replies = [send(through, exchange) for _ in range(2)]
    assert [outcome(reply) for reply in replies] == ["MISS", "HIT"]
    assert [reply.content for reply in replies] == [exchange.answer] * 2
    assert proxy.stats()["corrupt"] == 1
    assert len(calls(upstream, exchange)) == 2


def test_a_value_that_has_vanished_is_a_miss(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = sized(word, LARGE)
    proxy = stored_on_disk(make_proxy, upstream, exchange)
    max(files(proxy), key=lambda path: path.stat().st_size).unlink()
    proxy.start()
    check_works(proxy, upstream, exchange)


def test_a_database_of_rubbish_is_set_aside(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    exchange = CHAT.saying(word)
    proxy = stored_on_disk(make_proxy, upstream, exchange)
    rubbish = random.Random(word).randbytes(100_000)
    for database in proxy.data_dir.glob("*.sqlite3"):  # the answers, and the history of calls
        database.write_bytes(rubbish)
    proxy.start()
    check_works(proxy, upstream, exchange)
    proxy.restart()
    with client(proxy) as through:
        assert outcome(send(through, exchange)) == "HIT"


def test_a_folder_that_vanishes_costs_hits_and_nothing_else(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    proxy = make_proxy()
    check_works(proxy, upstream, sized(word, LARGE))
    proxy.stats()
    for path in sorted(proxy.data_dir.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    proxy.data_dir.rmdir()
    for number in range(3):
        check_works(proxy, upstream, sized(f"{word}{number}", LARGE))


def test_a_kill_loses_nothing_that_was_stored_and_keeps_nothing_half(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, word: str
) -> None:
    """`stats` has written out what it counts."""
    proxy = make_proxy()
    kept = [sized(f"{word}{number}", 1000 + LARGE * (number % 2)) for number in range(6)]
    under_way, gate = exchanges.openai.CHAT_STREAM.saying(word), Gate()
    with client(proxy) as through:
        for exchange in kept:
            register(upstream, exchange)
            send(through, exchange)
        proxy.wait_stats(lambda stats: stats["stored"] == len(kept))
        register(upstream, under_way, replace(answer_of(under_way), gate=gate))
        gate.open(2)
        reply = through.send(request(under_way), stream=True)
        pieces = reply.iter_raw()
        next(pieces)
        proxy.kill9()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            list(pieces)
        reply.close()
    gate.open_for_good()
    upstream.reset()
    proxy.start()
    with client(proxy) as through:
        for exchange in kept:
            reply = send(through, exchange)
            assert (outcome(reply), reply.content) == ("HIT", exchange.answer)
        assert not upstream.seen
        register(upstream, under_way)
        assert outcome(send(through, under_way)) == "MISS"
    assert proxy.stats()["corrupt"] == 0


def test_two_proxies_share_one_folder(
    make_proxy: MakeProxy, upstream: ScriptedUpstream, tmp_path: Path, word: str
) -> None:
    folder = str(tmp_path / "shared")
    one, two = make_proxy(llm_data_dir=folder), make_proxy(llm_data_dir=folder)
    exchange = CHAT.saying(word)
    register(upstream, exchange)
    with client(one) as through:
        store(through, one, exchange)
    with client(two) as through:
        assert outcome(send(through, exchange)) == "HIT"
