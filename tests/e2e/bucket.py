"""Proxies that share a bucket on the tests' S3 server, and a look into that bucket."""

import base64
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import httpx
from botocore.config import Config

import exchanges
from e2e.answers import Answer, Seen
from e2e.client import client, outcome, send
from e2e.proxy import START_DEADLINE, ProxyProcess, Stats
from e2e.upstream import ScriptedUpstream
from exchanges import Exchange
from s3.server import S3Server, environ

CHAT = exchanges.openai.CHAT
PREFIX = "team/cache"
PATIENT = "30s"
DRAINED = 90.0
"""Seconds within which what waits must have arrived in a bucket that works; only to end a test that hangs."""


@dataclass
class BucketProxy(ProxyProcess):
    """A proxy with these variables set, and none of the developer's for AWS."""

    variables: Mapping[str, str] = field(default_factory=dict)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in super()._environment().items() if not name.startswith("AWS_")}
        return {**kept, **self.variables}

    def lines_with(self, text: str) -> list[str]:
        return [line for line in self.lines if text in line]


class Fleet:
    """Makes proxies of one bucket, each with a folder of its own, which end with the fleet."""

    def __init__(
        self, upstream: ScriptedUpstream, confdir: Path, folder: Path, server: S3Server, bucket: str
    ) -> None:
        self.upstream = upstream
        self.bucket = bucket
        self.endpoint = server.endpoint
        """Where the proxies are sent; tests may put something between."""
        self.lookup_timeout = PATIENT
        """Of the proxies that are made from now on: long, since a busy machine is no bucket in trouble."""
        self.variables: dict[str, str] = {}
        """For the proxies that are made from now on, beside those that lead to the bucket."""
        self._confdir = confdir
        self._folder = folder
        self._server = server
        self._stack = ExitStack()
        self._started: list[BucketProxy] = []

    def proxy(
        self,
        name: str,
        *,
        start: bool = True,
        ready: bool = True,
        variables: Mapping[str, str] | None = None,
        store: str = "",
        **options: str,
    ) -> BucketProxy:
        """The same name is the same folder. `ready`: it is returned when it asks the bucket, as it does
        shortly after its start. `start=False`: for one that will not come up."""
        folder = self._folder / name
        place = store or f"s3://{self.bucket}/{PREFIX}"
        usual = {"llm_store": place, "llm_disk": "1g", "llm_lookup_timeout": self.lookup_timeout}
        settings = {**usual, **options}
        given = environ(self.endpoint, **self.variables) if variables is None else variables
        made = BucketProxy(self.upstream, folder, self._confdir, settings, variables=given)
        self._stack.callback(made.stop)
        if start:
            self._started.append(made)
            made.start()
            if ready:
                wait_until_asking(made)
        return made

    def objects(self, below: str = "v1/entries/") -> dict[str, int]:
        """What is in the bucket: sizes by name, past any fault."""
        listed: dict[str, int] = {}
        with self._client() as s3:
            for page in s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=f"{PREFIX}/{below}"
            ):
                listed |= {item["Key"]: item["Size"] for item in page.get("Contents", [])}
        return listed

    def spoil(self, name: str, body: bytes) -> None:
        with self._client() as s3:
            s3.put_object(Bucket=self.bucket, Key=name, Body=body)

    def close(self) -> None:
        self._stack.close()

    def crashes(self) -> list[str]:
        return [line for made in self._started for line in made.crashes]

    @contextmanager
    def _client(self) -> Iterator[Any]:
        given = environ(self._server.endpoint)
        s3 = boto3.session.Session().client(
            "s3",
            endpoint_url=self._server.endpoint,
            region_name="us-east-1",
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
            config=Config(proxies={}, s3={"addressing_style": "path"}),
        )
        try:
            yield s3
        finally:
            s3.close()


@contextmanager
def running_fleet(
    upstream: ScriptedUpstream, confdir: Path, folder: Path, server: S3Server, bucket: str
) -> Iterator[Fleet]:
    fleet = Fleet(upstream, confdir, folder, server, bucket)
    try:
        yield fleet
    finally:
        fleet.close()
    assert not fleet.crashes()


def drained(proxy: ProxyProcess, stored: int = 0) -> Stats:
    """Waits until nothing waits for the bucket, of so many answers that the proxy stores after its start.

    What is not on its disk yet does not wait for the bucket either.
    """
    return proxy.wait_stats(lambda stats: stats["stored"] >= stored and stats["upload_pending"] == 0, DRAINED)


def wait_until_asking(proxy: ProxyProcess) -> None:
    """Until the bucket has answered a lookup."""
    with client(proxy) as through:

        def answered(_: Stats) -> bool:
            send(through, CHAT.saying(f"w{uuid.uuid4().hex}"), cache_control="only-if-cached")
            counts = proxy.stats()["bucket"]
            unanswered = counts["skipped"] + counts["timeouts"] + counts["failures"]
            return bool(counts["lookups"] > unanswered)

        proxy.wait_stats(answered, START_DEADLINE)


class Questions:
    """Exchanges at one path, each of which the upstream answers with what belongs to it."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self._upstream = upstream
        self._answers: dict[bytes, bytes] = {}
        upstream.answer(CHAT.host, CHAT.path, self._reply)

    def new(self, word: str, size: int = 300) -> Exchange:
        """The answer has `size` bytes beside the usual ones, of which at least three quarters are stored."""
        noise = base64.b64encode(random.Random(word).randbytes(size * 3 // 4))
        made = replace(CHAT.saying(word), reply=CHAT.reply[:-1] + b',"x":"' + noise + b'"}')
        self._answers[made.body] = made.reply
        return made

    def several(self, word: str, count: int) -> list[Exchange]:
        """Most are small; every fifth is large enough to be a file on the disk."""
        return [self.new(f"{word}n{number}", 300 if number % 5 else 100_000) for number in range(count)]

    def asked(self, exchange: Exchange) -> int:
        """How often the upstream was."""
        return sum(seen.body == exchange.body for seen in list(self._upstream.seen))

    def _reply(self, seen: Seen) -> Answer:
        return Answer(body=self._answers[seen.body])


class Got(NamedTuple):
    """What a client got; `right`: byte for byte what the upstream answers."""

    status: int
    word: str
    right: bool


HIT, MISS = Got(200, "HIT", True), Got(200, "MISS", True)


def ask(through: httpx.Client, exchange: Exchange) -> Got:
    reply = send(through, exchange)
    return Got(reply.status_code, outcome(reply), reply.content == exchange.answer)


def ask_all(proxy: ProxyProcess, asked: Sequence[Exchange], clients: int = 4) -> list[Got]:
    """Several clients at once, each with a connection of its own; the answers in order."""
    with ExitStack() as stack, ThreadPoolExecutor(clients) as pool:
        each = [stack.enter_context(client(proxy)) for _ in range(clients)]
        shares = [asked[number::clients] for number in range(clients)]

        def work(number: int) -> list[Got]:
            return [ask(each[number], exchange) for exchange in shares[number]]

        got = list(pool.map(work, range(clients)))
    return [got[number % clients][number // clients] for number in range(len(asked))]
