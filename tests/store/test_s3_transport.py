"""What the network and the server do to a request: a real server, behind a proxy that does it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from e2e.certs import Certificates
from mitmcache.store import s3_limits
from mitmcache.store.base import LARGE, StoreError
from mitmcache.store.location import parse
from mitmcache.store.s3 import Fetched, Objects
from mitmcache.store.s3_errors import BucketError, Kind
from s3.faults import Fault, FaultProxy
from s3.server import S3Server, environ

BODY = b"hello" * 200
BLOCK = 64 * 1024
DRIPPING = 0.4
"""A deadline far shorter than a dripping answer takes, which is 50 ms a byte."""


@pytest.fixture(scope="module")
def shared(s3_server: S3Server, common_bucket: str) -> Iterator[tuple[FaultProxy, Objects]]:
    """Making clients takes far longer than using them."""
    with FaultProxy(s3_server.port) as proxy:
        variables = environ(proxy.endpoint)
        objects = Objects(parse(f"s3://{common_bucket}/transport", variables), variables)
        yield proxy, objects
        objects.close()


@pytest.fixture
def faults(shared: tuple[FaultProxy, Objects]) -> FaultProxy:
    faults, _ = shared
    faults.behave()
    faults.requests.clear()
    return faults


@pytest.fixture
def objects(shared: tuple[FaultProxy, Objects], faults: FaultProxy) -> Objects:
    _, objects = shared
    objects.put("v1/x", BODY, deadline=60)
    return objects


def got(objects: Objects, deadline: float = 60.0) -> object:
    found = objects.get("v1/x", deadline=deadline)
    assert isinstance(found, Fetched)
    return found.body


def kind_of(work: Callable[[], object]) -> Kind:
    with pytest.raises(BucketError) as caught:
        work()
    return caught.value.kind


CALLS: dict[str, Callable[[Objects, float], object]] = {
    "get": lambda objects, deadline: objects.get("v1/x", deadline=deadline),
    "get what is missing": lambda objects, deadline: objects.get("v1/y", deadline=deadline),
    "read_head": lambda objects, deadline: objects.read_head("v1/x", 100, deadline=deadline),
    "put": lambda objects, deadline: objects.put("v1/z", BODY, deadline=deadline),
    "list": lambda objects, deadline: list(objects.list(deadline=deadline)),
    "delete": lambda objects, deadline: objects.delete(["v1/y"], deadline=deadline),
    "check": lambda objects, deadline: objects.check(deadline=deadline),
    "lifecycle": lambda objects, deadline: objects.get_lifecycle(deadline=deadline),
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@calls
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DRIP_HEAD])
def test_no_call_outlives_its_deadline(
    objects: Objects, faults: FaultProxy, call: Callable[[Objects, float], object], fault: Fault
) -> None:
    call(objects, 60.0)
    faults.behave(fault)
    assert kind_of(lambda: call(objects, DRIPPING)) is Kind.TIMEOUT


@pytest.mark.parametrize("name", ["get", "get what is missing", "read_head", "list"])
def test_nor_does_one_whose_body_drips(objects: Objects, faults: FaultProxy, name: str) -> None:
    faults.behave(Fault.DRIP)
    assert kind_of(lambda: CALLS[name](objects, DRIPPING)) is Kind.TIMEOUT


def test_nor_does_a_put_whose_body_is_read_in_sips(place: str) -> None:
    read = [0]

    def sip(listener: socket.socket) -> None:
        with suppress(OSError), listener.accept()[0] as connection:
            while block := connection.recv(BLOCK):
                read[0] += len(block)
                time.sleep(0.05)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=sip, args=(listener,), daemon=True).start()
        variables = environ(f"http://127.0.0.1:{listener.getsockname()[1]}")
        objects = Objects(parse(place, variables), variables)
        put = objects.put
        assert kind_of(lambda: put("v1/x", bytes(4 * LARGE), deadline=1.0)) is Kind.TIMEOUT
        assert read[0] < 2 * LARGE


def test_nor_does_a_tls_handshake_that_nobody_answers(
    place: str, loopback_certificates: Certificates
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        variables = environ(
            f"https://127.0.0.1:{deaf.getsockname()[1]}", MITMCACHE_S3_CA_BUNDLE=str(loopback_certificates.ca)
        )
        objects = Objects(parse(place, variables), variables)
        assert kind_of(lambda: objects.get("v1/x", deadline=0.5)) is Kind.TIMEOUT


@calls
def test_what_is_no_http_is_garbage(
    objects: Objects, faults: FaultProxy, call: Callable[[Objects, float], object]
) -> None:
    faults.behave(Fault.GARBAGE)
    assert kind_of(lambda: call(objects, 60.0)) is Kind.GARBAGE


@calls
def test_a_server_that_is_gone_is_unreachable(
    objects: Objects, faults: FaultProxy, call: Callable[[Objects, float], object]
) -> None:
    faults.behave(Fault.REFUSE)
    assert kind_of(lambda: call(objects, 60.0)) is Kind.UNREACHABLE
    faults.behave()
    call(objects, 60.0)


ANSWERS = [
    (403, "AccessDenied", Kind.DENIED),
    (404, "NoSuchBucket", Kind.NO_BUCKET),
    (429, "TooManyRequests", Kind.THROTTLED),
    (500, "InternalError", Kind.FAILED),
    (503, "ServiceUnavailable", Kind.FAILED),
    (503, "SlowDown", Kind.THROTTLED),
]


@pytest.mark.parametrize(("status", "code", "kind"), ANSWERS)
@pytest.mark.parametrize("name", ["get", "put", "list", "delete"])
def test_an_error_of_the_server_is_of_its_kind(
    objects: Objects, faults: FaultProxy, name: str, status: int, code: str, kind: Kind
) -> None:
    faults.behave(Fault.STATUS, status=status, code=code)
    assert kind_of(lambda: CALLS[name](objects, 60.0)) is kind


def test_a_list_that_is_no_xml_or_is_cut_off_has_failed(objects: Objects, faults: FaultProxy) -> None:
    """boto3 takes it for an error of the server, and tries again."""
    faults.behave(Fault.STATUS, status=200, code="<not xml")
    assert kind_of(lambda: list(objects.list())) is Kind.FAILED
    faults.behave(Fault.TRUNCATED)
    assert kind_of(lambda: list(objects.list())) is Kind.FAILED


def test_an_error_that_is_no_xml_is_garbage(objects: Objects, faults: FaultProxy) -> None:
    faults.behave(Fault.STATUS, status=404, code="<not xml")
    assert kind_of(lambda: got(objects)) is Kind.GARBAGE


@pytest.mark.parametrize("name", ["get", "read_head"])
def test_an_object_that_is_cut_off_is_garbage(objects: Objects, faults: FaultProxy, name: str) -> None:
    faults.behave(Fault.TRUNCATED)
    assert kind_of(lambda: CALLS[name](objects, 60.0)) is Kind.GARBAGE


@pytest.mark.parametrize(("method", "attempts"), [("GET", 1), ("PUT", 3)])
def test_a_lookup_is_one_attempt_and_all_else_up_to_three(
    objects: Objects, faults: FaultProxy, method: str, attempts: int
) -> None:
    fresh = Objects(objects.location, environ(faults.endpoint))  # boto3 retries less after many failures
    faults.requests.clear()
    faults.behave(Fault.STATUS, status=503, code="ServiceUnavailable")
    kind_of(lambda: CALLS[method.lower()](fresh, 60.0))
    assert faults.methods == [method] * attempts


def test_a_put_succeeds_when_the_server_comes_to_itself(objects: Objects, faults: FaultProxy) -> None:
    failing = iter([True, False])
    faults.behave(Fault.STATUS, status=500, applies=lambda _: next(failing, False))
    Objects(objects.location, environ(faults.endpoint)).put("v1/x", b"new", deadline=60)
    assert got(objects) == b"new"


def test_a_connection_is_used_again_whatever_was_left_of_the_last_deadline(
    objects: Objects, faults: FaultProxy
) -> None:
    got(objects, 3.0)
    faults.behave(Fault.DELAY, seconds=3.2)
    assert got(objects, 60.0) == BODY


def test_what_is_left_of_a_refused_answer_is_not_taken_for_the_next(objects: Objects) -> None:
    with pytest.raises(StoreError):
        objects.get("v1/x", deadline=60, most=10)
    assert got(objects) == BODY


def test_an_answer_that_does_not_end_is_given_up(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    objects.put("v1/x", bytes(LARGE), deadline=60)
    monkeypatch.setattr(s3_limits, "MOST", 1 << 20)
    assert kind_of(lambda: got(objects)) is Kind.GARBAGE


def test_over_tls_it_keeps_to_the_deadline_as_well(
    place: str, s3_server: S3Server, loopback_certificates: Certificates
) -> None:
    with FaultProxy(s3_server.port, loopback_certificates.leaf) as tls:
        variables = environ(tls.endpoint, MITMCACHE_S3_CA_BUNDLE=str(loopback_certificates.ca))
        objects = Objects(parse(place, variables), variables)
        objects.put("v1/x", BODY, deadline=60)
        assert got(objects) == BODY
        for fault in (Fault.DRIP, Fault.DRIP_HEAD, Fault.HANG):
            tls.behave(fault)
            assert kind_of(lambda: got(objects, DRIPPING)) is Kind.TIMEOUT
        objects.close()


def test_each_thread_has_its_own_deadline(objects: Objects, faults: FaultProxy) -> None:
    faults.behave(Fault.DELAY, seconds=1.0)
    with ThreadPoolExecutor(8) as pool:
        short = [pool.submit(lambda: kind_of(lambda: got(objects, 0.3))) for _ in range(4)]
        long = [pool.submit(lambda: got(objects, 60.0)) for _ in range(4)]
        assert {future.result() for future in short} == {Kind.TIMEOUT}
        assert {future.result() for future in long} == {BODY}
