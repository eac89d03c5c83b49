"""The hook that a project's conftest.py may have."""

import pytest


@pytest.hookspec(firstresult=True)
def pytest_mitmcache_scrub(item: pytest.Item, data: bytes) -> bytes | None:
    """What to keep instead of a recorded body, or of a header's value; None for as it is.

    Called when the test has passed, for all that its recording will hold. Secrets in the environment have
    been taken out.
    """
