from pathlib import Path

import pytest

from cli.console import Console, local, shared
from s3.server import S3Server


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return local(tmp_path)


@pytest.fixture
def team(tmp_path: Path, s3_server: S3Server, bucket: str) -> Console:
    """One that shares a bucket."""
    (tmp_path / "team").mkdir()
    return shared(tmp_path / "team", s3_server, bucket)
