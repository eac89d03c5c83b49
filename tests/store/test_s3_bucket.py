"""Against a real S3 server. Wrong credentials are in test_s3_session.py, failures in test_s3_faults.py."""

import pytest

from mitmcache.store.location import parse
from mitmcache.store.s3 import Objects
from mitmcache.store.s3_errors import BucketError, Kind
from s3.server import S3Server

RULE = {
    "ID": "mitmcache",
    "Status": "Enabled",
    "Filter": {"Prefix": "team/v1/entries/"},
    "Expiration": {"Days": 31},
}


def objects_in(bucket: str, server: S3Server) -> Objects:
    return Objects(parse(f"s3://{bucket}/team", server.environ), server.environ)


def test_a_bucket_that_may_be_read_passes_the_check(bucket: str, s3_server: S3Server) -> None:
    objects = objects_in(bucket, s3_server)
    objects.check()
    objects.put("v1/control/generations", b"{}", deadline=60)
    objects.check()


def test_a_missing_bucket_does_not(bucket: str, s3_server: S3Server) -> None:
    objects = objects_in(f"{bucket}-not", s3_server)
    for work in (objects.check, lambda: objects.put("x", b"", deadline=60), lambda: list(objects.list())):
        with pytest.raises(BucketError) as caught:
            work()
        assert caught.value.kind is Kind.NO_BUCKET


def test_a_bucket_is_created_once(bucket: str, s3_server: S3Server) -> None:
    objects = objects_in(f"{bucket}-new", s3_server)
    assert objects.create_bucket()
    objects.check()
    assert not objects.create_bucket()


def test_the_lifecycle_rules_are_set_and_read(bucket: str, s3_server: S3Server) -> None:
    objects = objects_in(bucket, s3_server)
    assert objects.get_lifecycle() == []
    for _ in range(2):
        objects.put_lifecycle([RULE])
        assert objects.get_lifecycle() == [RULE]


def test_after_a_close_it_connects_again(bucket: str, s3_server: S3Server) -> None:
    objects = objects_in(bucket, s3_server)
    objects.close()
    objects.check()
    objects.close()
    objects.check()
