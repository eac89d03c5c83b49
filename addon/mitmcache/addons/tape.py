"""A cache that holds one recording at a time: that of the test which is running (see pytest_plugin/).

The plugin says through the proxy when a test begins and ends, at `http://llm.cache/tape/`:

    POST begin {"mode": "record" | "replay", "bundles": [file]}   forget all, and take the files in
    POST mark                                 how many calls there have been
    POST save  {"bundle": file or null, "since": mark}       what was kept, and what the calls came to
    POST rest  {"mode": "replay" or null}     until the next test: offline, or as if we were not there

Recording begins empty and is otherwise as usual, so that a call made twice goes upstream once: the test sees
what it will see when it is replayed.
"""

import asyncio
import hmac
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from mitmproxy import ctx, http

from mitmcache.addons import default_addons
from mitmcache.addons.calls import Calls, host_of
from mitmcache.addons.listeners import CONTROL_HOST
from mitmcache.addons.storage import Storage
from mitmcache.addons.taped import Noted
from mitmcache.addons.trail import trail_of
from mitmcache.bundle import notes
from mitmcache.bundle.exporting import add
from mitmcache.bundle.file import BadBundle, BundleWriter, read_bundle, read_notes
from mitmcache.bundle.importing import Importer
from mitmcache.cache import scope, shape
from mitmcache.cache.record import Corrupt, ForeignVersion
from mitmcache.selection import EVERYTHING
from mitmcache.store.base import StoreError

PATH = "/tape/"
TOKEN = "MITMCACHE_TAPE_TOKEN"
"""In the environment, and in the header of its name (with dashes): nobody else may tell us what to do."""
HEADER = "mitmcache-tape-token"
SECRET = b"mitmcache test recordings"
"""Keys the digests in shapes. Recordings are read on other machines than their maker's: no secret at all."""
ACCOUNT = ("openai-organization", "openai-project")
"""Request headers that say who pays."""
END = 5.0
"""Seconds for calls of the test to come to their end."""
MOST = 100_000


class Refused(Exception):
    """In words for whoever runs the tests."""


class Tape:
    """Comes last in the pipeline: what it sees of a call is what came of it."""

    def __init__(self, storage: Storage, token: str) -> None:
        self._storage = storage
        self._token = token.encode()
        self._began = 0
        self._noted: list[Noted] = []
        self._requests: dict[str, dict[str, Any]] = {}
        self._secrets: set[str] = set()
        self._open: set[http.HTTPFlow] = set()
        self._closed = asyncio.Event()
        self._steps: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "begin": self._begin,
            "mark": self._mark,
            "save": self._save,
            "rest": self._rest,
        }

    def running(self) -> None:
        ctx.options.update(llm_mode="off")

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.request.pretty_host.lower() == CONTROL_HOST:
            await self._control(flow)
            return
        trail = trail_of(flow)
        what = f"{flow.request.method} {host_of(flow)}{flow.request.path.partition('?')[0]}"
        if trail.call is None:
            if trail.answer is not None:  # offline, nothing goes to a provider
                self._note(Noted(trail, what, inference=False))
            return
        self._note(Noted(trail, f"{what} ({trail.model})" if trail.model else what, inference=True))
        self._secrets |= set(scope.caller(trail.call).secrets)
        self._open.add(flow)
        if like := trail.likeness:
            self._requests[trail.key] = {"group": like.group, "shape": dict(like.shape)}

    def response(self, flow: http.HTTPFlow) -> None:
        self._open.discard(flow)
        self._closed.set()

    error = response

    def _note(self, noted: Noted) -> None:
        if len(self._noted) < MOST:
            self._noted.append(noted)

    async def _control(self, flow: http.HTTPFlow) -> None:
        step = self._steps.get(flow.request.path.removeprefix(PATH))
        token = flow.request.headers.get(HEADER, "").encode()
        if flow.request.method != "POST" or step is None or not hmac.compare_digest(token, self._token):
            return
        try:
            status, told = 200, await step(orjson.loads(flow.request.raw_content or b"{}"))
        except (Refused, StoreError) as error:
            status, told = 409, {"error": str(error)}
        except OSError as error:
            status, told = 409, {"error": f"{error.filename}: {error.strerror}"}
        flow.response = http.Response.make(status, orjson.dumps(told), {"content-type": "application/json"})

    async def _begin(self, said: dict[str, Any]) -> dict[str, Any]:
        replay = said["mode"] == "replay"
        ctx.options.update(llm_mode="offline")  # while it is emptied and filled, nothing is kept
        await self._settle()
        await self._storage.stores.purge(EVERYTHING)
        self._noted, self._requests, self._secrets = [], {}, set()
        self._began = self._storage.generation()
        self._open.clear()
        variables: set[str] = set()
        for bundle in said["bundles"]:
            variables |= set(await self._take(Path(bundle)))
        ctx.options.update(llm_mode="offline" if replay else "live")
        return {"variables": sorted(variables)}

    async def _mark(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"mark": len(self._noted)}

    async def _take(self, path: Path) -> list[str]:
        """The variables that held its credentials. Raises Refused where the recording is not whole."""
        disk = self._storage.stores.disk
        if disk is None:
            raise Refused("the proxy has no disk to work with")
        try:
            with path.open("rb") as file:
                told = notes.parse(read_notes(file))
            likeness = {key: (one["group"], shape.pack(one["shape"])) for key, one in told.requests.items()}
            importer = Importer(
                disk,
                self._storage.stores.purger.current,
                time.time(),
                replace=True,
                expires=0.0,
                created=time.time(),
                likeness=likeness,
            )
            with path.open("rb") as file:
                for part in read_bundle(file):
                    await importer.take(part)
        except BadBundle as error:
            raise Refused(f"{path} cannot be read: {error}") from None
        counted = await importer.finish()
        if counted.refused or counted.lost:
            why = ", ".join(counted.refused) or "the disk of the proxy does not take it"
            raise Refused(f"{path} is damaged: {why}")
        return told.variables

    async def _save(self, said: dict[str, Any]) -> dict[str, Any]:
        await self._settle()
        kept, noted = await self._kept(), self._noted
        if "since" in said:
            noted = noted[said["since"] :]
            kept &= {one.trail.key for one in noted}
        if said.get("bundle"):
            await self._write(Path(said["bundle"]), kept)
        mine = [one for one in noted if not one.trail.key or one.trail.generation >= self._began]
        offline = ctx.options.llm_mode == "offline"
        lacking = [noted for noted in mine if noted.inference and noted.trail.key not in kept]
        return {
            "missed": [noted.missed for noted in lacking] if offline else [],
            "lost": [] if offline else [noted.lost for noted in lacking],
            "refused": [noted.what for noted in mine if not noted.inference],
            "calls": sum(noted.inference for noted in mine),
            "secrets": sorted(self._secrets),
            "requests": {key: told for key, told in self._requests.items() if key in kept},
        }

    async def _rest(self, said: dict[str, Any]) -> dict[str, Any]:
        ctx.options.update(llm_mode="offline" if said.get("mode") == "replay" else "off")
        return {}

    async def _settle(self) -> None:
        """A client may know its answer before we know that this was all of it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(END):
                while self._open:
                    self._closed.clear()
                    await self._closed.wait()
        await self._storage.keeper.drain(END)

    async def _kept(self) -> set[str]:
        disk = self._storage.stores.disk
        if disk is None or not await disk.flush(END):
            raise Refused("the disk of the proxy does not get on with writing")
        rows = await disk.select(EVERYTHING, MOST)
        return {row.key for row in rows if self._storage.stores.purger.valid(row.key, row.about)}

    async def _write(self, path: Path, kept: set[str]) -> None:
        disk = self._storage.stores.disk
        assert disk
        with path.open("wb") as target:
            writer = BundleWriter(target)
            for key in sorted(kept):
                try:
                    await add(writer, disk, key)
                except (Corrupt, ForeignVersion) as error:
                    raise Refused(f"an answer cannot be read any more: {error}") from None
            writer.close()


class Anybody:
    """Who replays has another account than who recorded, or none: it does not count. Upstream is told it."""

    def request(self, flow: http.HTTPFlow) -> None:
        trail = trail_of(flow)
        if trail.call:
            kept = tuple(pair for pair in trail.call.headers if pair[0] not in ACCOUNT)
            trail.call = replace(trail.call, headers=kept)


def tape_addons() -> list[object]:
    """For a proxy that a test session runs for itself alone."""
    chain = default_addons(secret=SECRET)
    storage = next(addon for addon in chain if isinstance(addon, Storage))
    after = next(place for place, addon in enumerate(chain, 1) if isinstance(addon, Calls))
    return [*chain[:after], Anybody(), *chain[after:], Tape(storage, os.environ[TOKEN])]
