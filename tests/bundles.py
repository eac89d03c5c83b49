"""Bundles, as tests look at them."""

from pathlib import Path

from mitmcache.bundle.file import Member, read_bundle


def keys_of(path: Path) -> list[str]:
    """Of its records, in their order. Fails on anything that is none."""
    with path.open("rb") as file:
        parts = list(read_bundle(file))
    assert all(isinstance(part, Member) for part in parts)
    return [part.key for part in parts if isinstance(part, Member)]
