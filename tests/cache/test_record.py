import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from made import KEY, RECORD
from mitmcache.cache.record import (
    PREFIX,
    Corrupt,
    ForeignVersion,
    Record,
    compressor,
    decode,
    digest,
    encode,
    head,
    read_head,
)
from records import FULL, RECORDS

LONG = replace(RECORD, body=b"the same words again and again; " * 40)


def fields_of(blob: bytes) -> dict[str, Any]:
    size = int.from_bytes(blob[8:12], "big")
    fields: dict[str, Any] = json.loads(blob[PREFIX : PREFIX + size])
    return fields


def forged(header: bytes, stored: bytes) -> bytes:
    """A record that is whole by its checksum."""
    head = b"LLMC\x01\0\0\0" + len(header).to_bytes(4, "big")
    return head + zlib.crc32(header, zlib.crc32(head)).to_bytes(4, "big") + header + stored


@given(RECORDS)
def test_what_is_encoded_is_decoded(record: Record) -> None:
    assert decode(encode(record), KEY) == record


@pytest.mark.parametrize(
    ("record", "coding"), [(RECORD, "raw"), (LONG, "zstd"), (replace(RECORD, body=b""), "raw")]
)
def test_a_body_is_compressed_where_that_is_worth_it(record: Record, coding: str) -> None:
    blob = encode(record)
    fields = fields_of(blob)
    assert (fields["coding"], fields["size"]) == (coding, len(record.body))
    assert decode(blob, KEY) == record


def test_a_compressor_that_is_kept_makes_the_same_of_a_body_whatever_it_had_before() -> None:
    kept = compressor()
    records = [LONG, RECORD, replace(LONG, body=LONG.body * 50), FULL, LONG]
    assert [encode(record, kept) for record in records] == [encode(record) for record in records]


def test_a_compressed_record_is_smaller_than_its_body() -> None:
    assert len(encode(LONG)) < len(LONG.body)


@pytest.mark.parametrize("record", [FULL, LONG], ids=["raw", "zstd"])
def test_every_flipped_bit_is_noticed(record: Record) -> None:
    blob = encode(record)
    for at in range(len(blob) * 8):
        broken = bytearray(blob)
        broken[at // 8] ^= 1 << at % 8
        with pytest.raises(ForeignVersion if at // 8 == 4 else Corrupt):
            decode(bytes(broken), KEY)


@pytest.mark.parametrize("record", [FULL, LONG], ids=["raw", "zstd"])
def test_every_truncation_and_any_tail_is_noticed(record: Record) -> None:
    blob = encode(record)
    for broken in (*(blob[:size] for size in range(len(blob))), blob + b"\0", blob + blob):
        with pytest.raises(Corrupt):
            decode(broken, KEY)


@pytest.mark.parametrize("key", ["", KEY[:-1], KEY.upper(), "f" * 64])
def test_the_record_of_another_key_is_refused(key: str) -> None:
    with pytest.raises(Corrupt):
        decode(encode(RECORD), key)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_told_apart_from_damage(version: int) -> None:
    blob = encode(RECORD)
    with pytest.raises(ForeignVersion):
        decode(blob[:4] + bytes([version]) + blob[5:], KEY)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_no_record(blob: bytes) -> None:
    with pytest.raises((Corrupt, ForeignVersion)):
        decode(blob, KEY)
    with pytest.raises(Corrupt):
        decode(forged(blob, b""), KEY)


FIELDS = fields_of(encode(RECORD))


def test_a_forged_record_would_be_whole() -> None:
    assert decode(forged(json.dumps(FIELDS).encode(), RECORD.body), KEY) == RECORD


@pytest.mark.parametrize(
    ("changes", "stored"),
    [
        pytest.param({"size": 99}, RECORD.body, id="another size"),
        pytest.param({"size": None}, RECORD.body, id="no size"),
        pytest.param({"headers": 1}, RECORD.body, id="headers that are none"),
        pytest.param({"headers": [["a"]]}, RECORD.body, id="a header without a value"),
        pytest.param({"coding": "zstd"}, RECORD.body, id="a body that is not compressed"),
        pytest.param({"digest": ""}, RECORD.body, id="no digest"),
        pytest.param({"key": ["0" * 64]}, RECORD.body, id="a key that is no text"),
        pytest.param({"host": None}, RECORD.body, id="a host that is no text"),
        pytest.param({"tags": "ab"}, RECORD.body, id="tags that are no list"),
        pytest.param({"tags": [1]}, RECORD.body, id="a tag that is no text"),
        pytest.param({"generation": "1"}, RECORD.body, id="a generation that is no number"),
        pytest.param({"generation": -1}, RECORD.body, id="a generation below all"),
        pytest.param({"generation": 2**63}, RECORD.body, id="a generation that no database holds"),
        pytest.param({"created": "1"}, RECORD.body, id="a time that is no number"),
        pytest.param({"coding": "br"}, RECORD.body, id="a coding of nobody's"),
    ],
)
def test_what_was_not_written_by_us_is_corrupt_whatever_its_checksum(
    changes: dict[str, Any], stored: bytes
) -> None:
    with pytest.raises(Corrupt):
        decode(forged(json.dumps({**FIELDS, **changes}).encode(), stored), KEY)


LATER = ("host", "tags", "generation")


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in LATER])
def test_a_record_without_a_field_is_corrupt(name: str) -> None:
    fields = {other: value for other, value in FIELDS.items() if other != name}
    with pytest.raises(Corrupt):
        decode(forged(json.dumps(fields).encode(), RECORD.body), KEY)


def test_the_format_is_pinned() -> None:
    """What is stored today is read tomorrow: a change here is a new FORMAT_VERSION."""
    header = (
        b'{"key":"' + KEY.encode() + b'","provider":"made","dialect":"made.chat","model":"m-1",'
        b'"created":1800000000.0,"expires":1800000060.0,"status":200,'
        b'"headers":[["content-type","application/json"]],'
        b'"host":"api.made.example","tags":["nightly","a b"],"generation":1800000000001,'
        b'"coding":"raw","size":16,"digest":"9b1a28b6f26068461f8c2db4515572f2"}'
    )
    assert encode(FULL) == forged(header, FULL.body)


def test_a_record_from_before_hosts_tags_and_generations_is_read() -> None:
    earlier = {name: value for name, value in fields_of(encode(FULL)).items() if name not in LATER}
    expected = replace(FULL, host="", tags=(), generation=0)
    assert decode(forged(json.dumps(earlier).encode(), FULL.body), KEY) == expected


def test_no_credential_and_no_request_text_has_a_place_in_a_record() -> None:
    assert set(FIELDS) == {
        *("key", "provider", "dialect", "model", "created", "expires", "status", "headers"),
        *("host", "tags", "generation", "coding", "size", "digest"),
    }


@pytest.mark.parametrize(
    "header",
    [b"[" * 100_000, b"[]", b"1", b'"text"', b"{}", b"{", b"\xff", b'{"status":' + b"9" * 5000 + b"}"],
    ids=["deep", "a list", "a number", "a text", "empty", "cut", "no UTF-8", "a long number"],
)
def test_a_header_of_another_form_is_corrupt(header: bytes) -> None:
    with pytest.raises(Corrupt):
        read_head(forged(header, b""))


def test_what_a_body_claims_to_be_is_not_allocated_before_it_is_checked() -> None:
    bomb = b"\x28\xb5\x2f\xfd\xe0" + (1 << 60).to_bytes(8, "little") + b"\x01\0\0"
    assert zstandard.frame_content_size(bomb) == 1 << 60
    fields = {**FIELDS, "coding": "zstd", "size": 16, "digest": digest(bomb)}
    with pytest.raises(Corrupt, match="another size"):
        decode(forged(json.dumps(fields).encode(), bomb), KEY)


def test_a_body_compressed_as_a_stream_is_read() -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    stored = packer.compress(LONG.body) + packer.flush()
    assert zstandard.frame_content_size(stored) == -1
    assert decode(head(LONG, "zstd", len(LONG.body), digest(stored)) + stored, KEY) == LONG
