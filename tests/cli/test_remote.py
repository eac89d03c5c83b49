"""The bucket's records by listing. What the commands make of them is tested with these."""

from pathlib import Path

import pytest

from cli.console import KEYS, PREFIX, SECRET, made, shared
from mitmcache.cli.remote import Remote
from mitmcache.selection import Selection
from mitmcache.store.base import StoreError
from mitmcache.store.location import Location
from s3.server import S3Server


@pytest.fixture
def environ(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.environ.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("secret", ["", SECRET])
def test_records_are_counted_found_and_fetched(
    s3_server: S3Server, bucket: str, tmp_path: Path, secret: str
) -> None:
    console = shared(tmp_path, s3_server, bucket, secret=secret)
    console.upload(made(0, tags=("a",)), made(1), made(2))
    remote = Remote(Location(bucket, PREFIX, s3_server.endpoint, "us-east-1"), secret.encode())
    assert remote.count()[0] == len(list(remote.matching(Selection()))) == 3
    assert len(list(remote.matching(Selection(tag="a")))) == 1
    [(key, name)] = remote.named(KEYS[1], 10)
    assert key == KEYS[1]
    assert remote.fetch(name, lambda: tmp_path / "staged") is not None
    assert remote.fetch(name[:-1] + "z", lambda: tmp_path / "staged") is None
    assert len(remote.named("1", 2)) == (0 if secret else 2)


@pytest.mark.usefixtures("environ")
def test_what_is_sealed_otherwise_is_an_error(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    shared(tmp_path, s3_server, bucket, secret=SECRET).upload(made(0))
    remote = Remote(Location(bucket, PREFIX, s3_server.endpoint, "us-east-1"), b"another secret entirely")
    [name] = [item.name for item in remote.objects.list("v1/sealed/")]
    with pytest.raises(StoreError, match="llm_secret"):
        remote.fetch(name, lambda: tmp_path / "staged")
