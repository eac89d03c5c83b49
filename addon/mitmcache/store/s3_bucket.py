"""The bucket itself: whether it is there, how it is made, and what it collects by itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

from mitmcache.store.base import StoreError
from mitmcache.store.location import Location
from mitmcache.store.s3_errors import MISSING, BucketError, Kind, code_of, explain
from mitmcache.store.s3_limits import Limit, within
from mitmcache.store.s3_session import Clients, connect

CONTROL = "v1/control/generations"
SECONDS = 30.0


class Bucket:
    """For any number of threads. The credentials are looked for at the first use, and again until there
    are some; `environ` has the first of them, the rest of boto3's chain reads the process's own."""

    def __init__(self, location: Location, environ: Mapping[str, str]) -> None:
        self.location = location
        self._environ = environ
        self._clients: Clients | None = None
        self._connecting = Lock()

    def close(self) -> None:
        """Lets go of the idle connections. New ones are made when they are needed."""
        if self._clients:
            self._clients.close()

    def check(self, *, deadline: float = SECONDS) -> None:
        """Returns if the bucket is there and may be read."""
        with self._asking(deadline) as clients:
            name = self.location.name(CONTROL)
            try:
                clients.reads.get_object(Bucket=self.location.bucket, Key=name)["Body"].read()
            except Exception as error:
                if code_of(error)[0] != MISSING:
                    raise

    def create_bucket(self, *, deadline: float = SECONDS) -> bool:
        """False: it is there already."""
        region = None if self.location.endpoint else self.location.region
        place: Any = {"LocationConstraint": region} if region and region != "us-east-1" else None
        with self._asking(deadline) as clients:
            try:
                clients.writes.create_bucket(
                    Bucket=self.location.bucket, **({"CreateBucketConfiguration": place} if place else {})
                )
            except Exception as error:
                if code_of(error)[0] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise
            else:
                return True
        self.check(deadline=deadline)  # it may be another's
        return False

    def get_lifecycle(self, *, deadline: float = SECONDS) -> list[dict[str, Any]]:
        """The bucket's rules, as S3 has them; empty when there are none."""
        with self._asking(deadline) as clients:
            try:
                answer: Any = clients.writes.get_bucket_lifecycle_configuration(Bucket=self.location.bucket)
            except Exception as error:
                if code_of(error)[0] == "NoSuchLifecycleConfiguration":
                    return []
                raise
            return list(answer.get("Rules", []))

    def put_lifecycle(self, rules: list[dict[str, Any]], *, deadline: float = SECONDS) -> None:
        """In place of all rules that are there."""
        configuration: Any = {"Rules": rules}
        with self._asking(deadline) as clients:
            clients.writes.put_bucket_lifecycle_configuration(
                Bucket=self.location.bucket, LifecycleConfiguration=configuration
            )

    @contextmanager
    def _asking(self, deadline: float) -> Iterator[Clients]:
        """What is asked in the block is within the deadline, and what it raises is a StoreError."""
        with within(deadline) as limit:
            try:
                yield self._connected(limit)
            except StoreError:
                raise
            except Exception as error:
                if limit.left() <= 0 and not code_of(error)[1]:
                    raise BucketError(self.location, Kind.TIMEOUT) from None
                raise explain(self.location, error) from None

    def _connected(self, limit: Limit) -> Clients:
        if self._clients is None:
            if not self._connecting.acquire(timeout=max(0.0, limit.left())):
                raise TimeoutError
            try:
                self._clients = self._clients or connect(self.location, self._environ)
            finally:
                self._connecting.release()
        return self._clients
