from dataclasses import replace
from typing import Any

import pytest

from made import RECORD
from mitmcache.cache.record import MAX_HEAD, Record, encode
from mitmcache.purge import deletion
from mitmcache.purge.deletion import FIRST, read_meta, sweep
from mitmcache.selection import EVERYTHING, About, Selection
from mitmcache.store.names import CONTROL, Names
from mitmcache.store.s3 import Objects
from mitmcache.store.s3_errors import BucketError, Kind
from mitmcache.store.seal import SEGMENT, Seal
from purge.made_buckets import MadeObjects

SEAL = Seal(b"a secret of the tests", "bucket/prefix")
PURGED = 1_800_000_000.0
N = int(PURGED * 1000)
LONG_AGO = PURGED - 3600
JUST_NOW = PURGED - 1


def key(number: int) -> str:
    return f"{number:064x}"


def record(number: int, **changes: Any) -> Record:
    return replace(RECORD, **{"key": key(number), "model": "m", "created": LONG_AGO, **changes})


class Swept:
    """A bucket with records in it; `left` are the numbers of those that are still there."""

    def __init__(self, seal: Seal | None) -> None:
        self.objects = MadeObjects()
        self.seal = seal
        self.names = Names(seal)

    def put(self, *records: Record, modified: float = LONG_AGO) -> None:
        for made in records:
            name = self.names.entry(made.key, made.about)
            self.raw(name, self.seal.seal(name, encode(made)) if self.seal else encode(made), modified)

    def raw(self, name: str, body: bytes, modified: float = LONG_AGO) -> None:
        self.objects.put(name, body, deadline=1)
        self.objects.modified[name] = modified

    def sweep(self, selection: Selection, n: int = N, **more: Any) -> int:
        return sweep(self.objects, self.names, self.seal, selection, n, now=lambda: PURGED + 1, **more)

    def left(self, *records: Record) -> list[int]:
        return [int(r.key, 16) for r in records if self.names.entry(r.key, r.about) in self.objects.bodies]


@pytest.fixture(params=[None, SEAL], ids=["plain", "sealed"])
def swept(request: pytest.FixtureRequest) -> Swept:
    return Swept(request.param)


RECORDS = [
    record(0, model="gpt-4o", tags=("t",)),
    record(1, model="gpt-4o-mini"),
    record(2, model="meta/llama", provider="hf"),
    record(3, host="h", created=LONG_AGO - 100),
    record(4, generation=N),
    record(5, model="gpt-4o", tags=("t", "u"), generation=N + 5),
]
SELECTIONS: list[tuple[str, Selection, list[int]]] = [
    ("everything", EVERYTHING, [4, 5]),
    ("a provider", Selection(provider="hf"), [0, 1, 3, 4, 5]),
    ("a model", Selection(model="gpt-4o"), [1, 2, 3, 4, 5]),
    ("a glob", Selection(model="gpt-*"), [2, 3, 4, 5]),
    ("a model with a slash", Selection("hf", model="meta/llama"), [0, 1, 3, 4, 5]),
    ("a glob with a slash", Selection(model="meta/*"), [0, 1, 3, 4, 5]),
    ("a tag", Selection(tag="t"), [1, 2, 3, 4, 5]),
    ("a host", Selection(host="h"), [0, 1, 2, 4, 5]),
    ("a key", Selection(key=key(1)), [0, 2, 3, 4, 5]),
    ("a key of a later generation", Selection(key=key(4)), [0, 1, 2, 3, 4, 5]),
    ("a time", Selection(before=LONG_AGO - 50), [0, 1, 2, 4, 5]),
    ("nothing", Selection(provider="nobody"), [0, 1, 2, 3, 4, 5]),
]


@pytest.mark.parametrize(("selection", "left"), [pytest.param(*case[1:], id=case[0]) for case in SELECTIONS])
def test_what_is_selected_and_of_an_earlier_generation_is_deleted(
    swept: Swept, selection: Selection, left: list[int]
) -> None:
    swept.put(*RECORDS[:4], modified=LONG_AGO)
    swept.put(*RECORDS[4:], modified=JUST_NOW)
    assert swept.sweep(selection, dry_run=True) == 6 - len(left)
    assert swept.left(*RECORDS) == [0, 1, 2, 3, 4, 5]
    told: list[int] = []
    assert swept.sweep(selection, progress=told.append) == 6 - len(left) == sum(told)
    assert swept.left(*RECORDS) == left
    assert swept.sweep(selection) == 0


def test_what_name_and_age_tell_is_not_read() -> None:
    swept = Swept(None)
    swept.put(*(record(number, model=f"m-{number % 2}") for number in range(20)))
    assert swept.sweep(Selection(model="m-0")) == 10
    assert swept.sweep(Selection(before=PURGED - 100)) == 10
    assert swept.objects.asked["head"] == 0


@pytest.mark.parametrize(
    ("modified", "n", "selection", "reads"),
    [
        (PURGED - 61, N, EVERYTHING, 0),
        (PURGED - 59, N, EVERYTHING, 1),
        (PURGED - 61, N + 3_600_000, EVERYTHING, 1),
        (PURGED - 3600, N, Selection(before=PURGED - 3500), 0),
        (PURGED - 3600, N, Selection(before=PURGED - 3580), 1),
    ],
    ids=["long before", "about then", "a purge from the future", "surely earlier", "hardly earlier"],
)
def test_an_age_tells_only_where_no_clock_can_be_wrong(
    modified: float, n: int, selection: Selection, reads: int
) -> None:
    swept = Swept(None)
    swept.put(record(1, generation=N - 1, created=PURGED - 7200), modified=modified)
    assert swept.sweep(selection, n) == 1
    assert swept.objects.asked["head"] == reads


def test_an_imported_record_is_as_old_as_it_was_made(swept: Swept) -> None:
    swept.put(record(1, created=LONG_AGO), modified=JUST_NOW)
    assert swept.sweep(Selection(before=LONG_AGO + 1)) == 1


def test_what_is_no_record_of_ours_stays(swept: Swept) -> None:
    name = swept.names.entry(key(1), About("made", model="m"))
    other = Names(SEAL if swept.seal is None else None).entry(key(1), About("made", model="m"))
    foreign = [CONTROL, "v1/control/conditions", "v1/entries/notes.txt", "v1/sealed/notes.txt", "v2/x", other]
    for body in (b"", b"LLMC", encode(record(1))[:60], b"LLMC\x02" + encode(record(1))[5:], bytes(90)):
        for stays in (*foreign, name):
            swept.raw(stays, body, JUST_NOW if stays == name else LONG_AGO)
        assert swept.sweep(Selection(tag="t")) == swept.sweep(EVERYTHING) == 0
    assert swept.objects.bodies.keys() == {*foreign, name}


def test_a_record_under_the_name_of_another_stays(swept: Swept) -> None:
    name = swept.names.entry(key(2), About("made", model="m"))
    blob = encode(record(1, tags=("t",)))
    swept.raw(name, swept.seal.seal(name, blob) if swept.seal else blob)
    assert swept.sweep(Selection(tag="t")) == 0


@pytest.mark.parametrize("size", [10, FIRST, SEGMENT, 3 * SEGMENT, MAX_HEAD - 2000])
@pytest.mark.parametrize("body", [b"", b"b" * 10, bytes(range(256)) * 1000], ids=len)
def test_a_header_of_any_length_is_read(swept: Swept, size: int, body: bytes) -> None:
    made = record(1, headers=(("content-type", "x" * size),), body=body, tags=("t",))
    swept.put(made)
    name = swept.names.entry(made.key, made.about)
    meta = read_meta(swept.objects, swept.seal, name)
    assert meta and (meta.about, meta.headers) == (made.about, made.headers)
    assert read_meta(swept.objects, swept.seal, name + "0") is None


def test_a_failing_request_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "PAUSE", 0.001)
    swept = Swept(None)
    swept.put(record(1, tags=("t",)))
    swept.objects.failures = [Kind.TIMEOUT, Kind.THROTTLED, Kind.FAILED]
    assert swept.sweep(Selection(tag="t")) == 1


def test_what_does_not_pass_ends_it_and_it_can_be_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "PAUSE", 0.001)
    monkeypatch.setattr(deletion, "AT_ONCE", 2)
    swept = Swept(None)
    records = [record(number) for number in range(5)]
    swept.put(*records)

    def stop(count: int) -> None:
        swept.objects.failures = [Kind.DENIED]

    with pytest.raises(BucketError, match="refused"):
        swept.sweep(EVERYTHING, progress=stop)
    assert swept.left(*records) == [2, 3, 4]
    assert swept.sweep(EVERYTHING) == 3


@pytest.mark.parametrize("seal", [None, SEAL], ids=["plain", "sealed"])
def test_they_are_deleted_in_a_real_bucket(real: Objects, seal: Seal | None) -> None:
    names = Names(seal)
    for number in range(60):
        made = record(number, model="a" if number < 40 else "b/b", tags=("t",) if number % 2 else ())
        blob, name = encode(made), names.entry(made.key, made.about)
        real.put(name, seal.seal(name, blob) if seal else blob, deadline=60)
    real.put(CONTROL, b"control", deadline=60)
    assert sweep(real, names, seal, Selection(model="a", tag="t"), N) == 20
    assert sweep(real, names, seal, Selection(model="b/b"), N, dry_run=True) == 20
    assert sweep(real, names, seal, Selection(model="b/b"), N) == 20
    assert len(list(real.list())) == 21
    assert sweep(real, names, seal, EVERYTHING, N) == 20
    assert [item.name for item in real.list()] == [CONTROL]
