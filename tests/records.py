"""Records of every kind, for property tests."""

from dataclasses import replace

from hypothesis import strategies as st

from made import KEY, RECORD
from mitmcache.cache.record import Record

FULL = replace(RECORD, host="api.made.example", tags=("nightly", "a b"), generation=1_800_000_000_001)
TEXTS = st.text().map(lambda text: text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"))
TIMES = st.floats(0, 4e9)
RECORDS = st.builds(
    Record,
    key=st.just(KEY),
    provider=TEXTS,
    dialect=TEXTS,
    model=TEXTS,
    created=TIMES,
    expires=TIMES,
    status=st.integers(100, 599),
    headers=st.lists(st.tuples(TEXTS, TEXTS), max_size=4).map(tuple),
    host=TEXTS,
    tags=st.lists(TEXTS, max_size=3).map(tuple),
    generation=st.integers(0, 2**63 - 1),
    body=st.binary(max_size=200) | st.binary(min_size=1, max_size=5).map(lambda data: data * 200),
)
