import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from mitmcache.cache.generations import Generations, merge
from mitmcache.purge import control
from mitmcache.purge.control import Found, purge, push, read
from mitmcache.selection import EVERYTHING, About, Selection
from mitmcache.store.base import StoreError
from mitmcache.store.names import CONTROL
from mitmcache.store.s3 import Objects
from mitmcache.store.s3_errors import BucketError, Kind
from mitmcache.store.seal import Seal
from purge.made_buckets import PLACE, MadeObjects

NONE = Generations()
M, T = Selection(model="a model"), Selection(tag="t")
KEY = "0" * 64
SEAL = Seal(b"a secret of the tests", "bucket/prefix")
OTHER = Seal(b"another secret of the tests", "bucket/prefix")


@pytest.fixture(params=["made", "real"])
def objects(request: pytest.FixtureRequest) -> control.Objects:
    made: control.Objects = MadeObjects() if request.param == "made" else request.getfixturevalue("real")
    return made


@pytest.mark.parametrize("seal", [None, SEAL], ids=["plain", "sealed"])
def test_a_purge_is_read_by_all_who_share_the_bucket(objects: control.Objects, seal: Seal | None) -> None:
    assert read(objects, seal) == Found(NONE, None)
    after = purge(objects, seal, NONE, M, now=1.5)
    assert after == Generations({M: 1500})
    found = read(objects, seal)
    assert found and found.generations == after
    assert read(objects, seal, found.etag) is None
    purge(objects, seal, NONE, EVERYTHING, now=2)
    again = read(objects, seal, found.etag)
    assert again and again.generations == Generations(floor=2000)


def test_forty_purges_from_eight_threads_all_survive(objects: control.Objects) -> None:
    start = threading.Barrier(8)

    def work(thread: int) -> list[Generations]:
        known, seen = NONE, []
        start.wait()
        for number in range(5):
            selection = Selection(model=f"{thread}.{number}")
            known = merge(
                known, push(objects, SEAL, known.purged(selection, 1.0).beyond(known), conditional=True)
            )
            seen.append(known)
        return seen

    with ThreadPoolExecutor(8) as pool:
        seen = [known for thread in pool.map(work, range(8)) for known in thread]
    found = read(objects, SEAL)
    assert found
    models = {selection.model for selection in found.generations.purges}
    assert models == {f"{thread}.{number}" for thread in range(8) for number in range(5)}
    assert sorted(found.generations.purges.values()) == list(range(1000, 1040))
    for known in seen:
        assert merge(found.generations, known) == found.generations


@pytest.mark.parametrize(
    ("there", "known", "now", "n"),
    [
        (NONE, NONE, 1.5, 1500),
        (Generations({T: 2000}), NONE, 1.5, 2001),
        (NONE, Generations({T: 2000}), 1.5, 2001),
        (Generations({M: 2000}), NONE, 1.5, 2001),
        (Generations(floor=2000), Generations({M: 2500}), 1.5, 2501),
    ],
    ids=["the time", "above the bucket's", "above what is known", "the same again", "above both"],
)
def test_the_number_of_a_purge_is_above_all_others(
    there: Generations, known: Generations, now: float, n: int
) -> None:
    objects = MadeObjects()
    objects.bodies[CONTROL], objects.etags[CONTROL] = there.to_json(), '"1"'
    after = purge(objects, None, known, M, now)
    assert after.number(M) == n == after.latest
    assert after == merge(merge(known, there), Generations({M: n}))
    found = read(objects, None)
    assert found and found.generations == merge(there, Generations({M: n}))


def test_what_is_known_here_alone_is_not_told_with_a_purge() -> None:
    objects = MadeObjects()
    purge(objects, None, Generations({T: 5}, floor=4), M, 1.0)
    found = read(objects, None)
    assert found and found.generations == Generations({M: 1000})


def test_a_purge_in_between_is_kept_and_overtaken() -> None:
    objects = MadeObjects()
    objects.before_put = partial(purge, objects, None, NONE, T, 5.0)
    after = purge(objects, None, NONE, M, 1.0)
    assert after == Generations({T: 5000, M: 5001})
    assert not after.valid(KEY, About(model="a model", generation=5000))


def test_a_put_whose_answer_was_lost_is_not_done_again() -> None:
    objects = MadeObjects()
    objects.lost_answers = 1
    assert purge(objects, None, NONE, M, 1.0) == Generations({M: 1000})
    assert objects.asked["put"] == 1


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.CONFLICT])
def test_a_server_that_asks_for_patience_is_asked_again(kind: Kind) -> None:
    objects = MadeObjects()
    objects.failures = [kind] * 3
    assert purge(objects, None, NONE, M, 1.0) == Generations({M: 1000})


def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PUSH_SECONDS", 0.3)
    objects = MadeObjects()
    objects.failures = [Kind.THROTTLED] * 1000
    with pytest.raises(BucketError, match="asks for fewer requests"):
        purge(objects, None, NONE, M, 1.0)
    monkeypatch.setattr(control, "PUSH_SECONDS", 0.0)
    with pytest.raises(StoreError, match="did not get through in time"):
        purge(objects, None, NONE, M, 1.0)
    assert not objects.bodies


@pytest.mark.parametrize("kind", [Kind.DENIED, Kind.UNREACHABLE, Kind.NO_BUCKET])
def test_what_does_not_pass_is_told_at_once(kind: Kind) -> None:
    objects = MadeObjects()
    objects.failures = [kind]
    with pytest.raises(BucketError) as caught:
        purge(objects, None, NONE, M, 1.0)
    assert caught.value.kind is kind
    assert sum(objects.asked.values()) == 1


def test_a_server_that_ignores_conditions_is_refused() -> None:
    objects = MadeObjects()
    objects.honest = False
    with pytest.raises(StoreError, match=r"s3://bucket/prefix ignores the conditions of a PUT"):
        purge(objects, None, NONE, M, 1.0)
    assert not objects.bodies


def test_no_purge_is_told_that_could_not_be_read() -> None:
    with pytest.raises(ValueError, match="model"):
        purge(MadeObjects(), None, NONE, Selection(model="m" * 1000), 1.0)


UNREADABLE: list[tuple[str, bytes, Seal | None, str]] = [
    ("a later version", b'{"version":2}', None, "another version"),
    ("damage", b"{", None, "cannot be read"),
    ("sealed, for who has no secret", SEAL.seal(CONTROL, NONE.to_json()), None, "the same llm_secret"),
    ("sealed with another secret", OTHER.seal(CONTROL, NONE.to_json()), SEAL, "the same llm_secret"),
    ("sealed under another name", SEAL.seal("v1/other", NONE.to_json()), SEAL, "the same llm_secret"),
    ("sealed in a later form", b"LLMS\x02" + bytes(60), SEAL, "version 2"),
    ("not sealed, for who has a secret", NONE.to_json(), SEAL, "not sealed, and llm_secret is set"),
]


@pytest.mark.parametrize(
    ("body", "seal", "told"), [pytest.param(*case[1:], id=case[0]) for case in UNREADABLE]
)
def test_what_cannot_be_understood_is_told_and_left_alone(body: bytes, seal: Seal | None, told: str) -> None:
    objects = MadeObjects()
    objects.bodies[CONTROL], objects.etags[CONTROL] = body, '"1"'
    for attempt in (partial(read, objects, seal), partial(purge, objects, seal, NONE, M, 1.0)):
        with pytest.raises(StoreError, match=told) as caught:
            attempt()
        assert str(PLACE) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert objects.bodies[CONTROL] == body


def test_sealed_purges_show_nothing(real: Objects) -> None:
    purge(real, SEAL, NONE, M, 1.0)
    fetched = real.get(CONTROL, deadline=60)
    assert fetched and b"a model" not in fetched.body  # type: ignore[union-attr, operator]
