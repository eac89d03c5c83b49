from collections.abc import Iterator
from pathlib import Path

import pytest

from mitmcache.launch.proxy import Proxy


@pytest.fixture(scope="session")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy as `exec` starts one."""
    folder = tmp_path_factory.mktemp("launched")
    with Proxy(folder / "confdir", {"llm_data_dir": str(folder / "data")}) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def confdir(launched: Proxy) -> Path:
    """One with a CA: to make its key is the slowest part of a start."""
    return launched.confdir
