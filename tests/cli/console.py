"""A console for the tests of the command line: a data folder, perhaps a bucket, and what is in them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from made import RECORD
from mitmcache.cache import record
from mitmcache.cache.generations import Generations
from mitmcache.cache.record import Record
from mitmcache.cli import main
from mitmcache.purge.purger import KNOWN
from mitmcache.selection import EVERYTHING, Selection
from mitmcache.store.base import LARGE, Entry, Large, Staged
from mitmcache.store.browse import Row
from mitmcache.store.disk import DiskStore
from mitmcache.store.location import Location
from mitmcache.store.names import Names
from mitmcache.store.s3 import Objects
from mitmcache.store.seal import Seal
from s3.server import S3Server

PREFIX = "a/prefix"
SECRET = "a secret that is long enough"
KEYS = [f"{n:x}".rjust(2, "0") * 32 for n in range(0x10, 0x100)]


def made(number: int, **changes: Any) -> Record:
    """The record of KEYS[number], which was made an hour ago and is fresh for another one."""
    body = b'{"n": %d}' % number
    given: dict[str, Any] = {"created": time.time() - 3600, "expires": time.time() + 3600, "body": body}
    return replace(RECORD, key=KEYS[number], host="api.made.example", **(given | changes))


@dataclass(frozen=True)
class Console:
    """Runs commands as a user would: nobody at the terminal, and none of the developer's variables."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    objects: Objects | None = None
    secret: str = ""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, *words: str, stdin: bytes | None = None) -> Result:
        environ: dict[str, str | None] = {
            "AWS_PROFILE": None,
            "MITMCACHE_CONFDIR": str(self.folder),
            **self.environ,
        }
        return CliRunner().invoke(main, words, env=environ, input=stdin)

    def ok(self, *words: str, stdin: bytes | None = None) -> str:
        """What it prints to stdout; it must exit with 0."""
        done = self.run(*words, stdin=stdin)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.stdout

    def fails(self, *words: str, code: int = 1, stdin: bytes | None = None) -> str:
        """What it says of why, which is one line, and starts with Error."""
        done = self.run(*words, stdin=stdin)
        assert done.exit_code == code, (done.output, done.exception)
        assert isinstance(done.exception, SystemExit)
        last = done.stderr.splitlines()[-1]
        assert last.startswith("Error: "), done.stderr
        return last

    def configure(self, **options: str) -> None:
        text = "".join(f"{name}: '{value}'\n" for name, value in options.items())
        (self.folder / "config.yaml").write_text(text)

    # what is on the disk

    def disk[T](self, work: Callable[[DiskStore], Awaitable[T]], destination: str = "") -> T:
        async def run() -> T:
            disk = DiskStore(self.data, 1 << 40, now=time.time, destination=destination)
            disk.open()
            try:
                return await work(disk)
            finally:
                await disk.close(100)

        return asyncio.run(run())

    def fill(self, *records: Record, destination: str = "") -> None:
        async def put(disk: DiskStore) -> None:
            for each in records:
                blob: bytes | Staged = record.encode(each)
                if len(blob) > LARGE:
                    path = disk.stage()
                    path.write_bytes(record.encode(each))
                    blob = Staged(path, path.stat().st_size)
                assert disk.put(Entry(each.key, blob, each.expires, about=each.about))
            assert await disk.flush(100)

        self.disk(put, destination)

    def rows(self) -> dict[str, Row]:
        async def select(disk: DiskStore) -> list[Row]:
            return await disk.select(EVERYTHING, 10_000)

        return {row.key: row for row in self.disk(select)}

    def stored(self, key: str) -> Record:
        async def get(disk: DiskStore) -> bytes:
            blob = await disk.get(key)
            assert blob is not None
            if isinstance(blob, Large):
                with blob.file as file:
                    return file.read()
            return blob

        return record.decode(self.disk(get), key)

    def purges(self) -> Generations:
        async def recall(disk: DiskStore) -> bytes | None:
            return await disk.recall(KNOWN)

        data = self.disk(recall)
        return Generations.from_json(data) if data else Generations()

    def remember(self, name: str, value: bytes) -> None:
        self.disk(lambda disk: disk.remember(name, value))

    def purged(self, selection: Selection) -> None:
        self.remember(KNOWN, Generations().purged(selection, time.time()).to_json())

    # what is in the bucket

    @property
    def seal(self) -> Seal | None:
        assert self.objects
        return Seal(self.secret.encode(), self.objects.location.namespace) if self.secret else None

    def upload(self, *records: Record) -> None:
        assert self.objects
        for each in records:
            name = Names(self.seal).entry(each.key, each.about)
            blob = record.encode(each)
            self.objects.put(name, self.seal.seal(name, blob) if self.seal else blob, deadline=100)

    def listed(self, prefix: str = "v1/") -> list[str]:
        assert self.objects
        return [item.name for item in self.objects.list(prefix)]


def local(folder: Path) -> Console:
    """Without a bucket."""
    console = Console(folder)
    console.configure(llm_data_dir=str(console.data))
    return console


def shared(folder: Path, server: S3Server, bucket: str, *, secret: str = "", endpoint: str = "") -> Console:
    """With a bucket."""
    environ = {**server.environ, "MADE_SECRET": SECRET}
    if endpoint:
        environ["AWS_ENDPOINT_URL_S3"] = endpoint
    location = Location(bucket, PREFIX, server.endpoint, "us-east-1")
    console = Console(folder, environ, Objects(location, server.environ), secret)
    options = {"llm_data_dir": str(console.data), "llm_store": f"s3://{bucket}/{PREFIX}"}
    console.configure(**options, **({"llm_secret": "env:MADE_SECRET"} if secret else {}))
    return console
