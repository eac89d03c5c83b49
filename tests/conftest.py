"""What several folders of tests share: a real S3 server, started when the first test asks for it."""

import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from e2e import certs
from e2e.certs import Certificates
from patience import be_patient
from s3.faults import FaultProxy
from s3.server import S3Server

pytest_plugins = ["pytester"]

# how long an example takes tells how busy the machine is, and so does how long it takes to make one
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_finish() -> None:
    be_patient()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def common_bucket(s3_server: S3Server) -> str:
    return s3_server.create()


@pytest.fixture
def place(common_bucket: str) -> str:
    """Where nobody else is, in a bucket that others use too, which is quicker than one of its own."""
    return f"s3://{common_bucket}/{uuid.uuid4().hex}"


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """The name of a new bucket."""
    return s3_server.create()


@pytest.fixture
def faults(s3_server: S3Server) -> Iterator[FaultProxy]:
    """In front of the S3 server; it does no harm until it is told to."""
    with FaultProxy(s3_server.port) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def loopback_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """For a TLS server on 127.0.0.1."""
    return certs.make(tmp_path_factory.mktemp("certificates"), ["127.0.0.1"])
