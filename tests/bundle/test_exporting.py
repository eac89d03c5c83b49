"""What is put into a bundle from a disk. The command that does it is in cli/test_bundle.py."""

import io
from pathlib import Path

import pytest

from bundles import keys_of
from cli.console import KEYS, made
from mitmcache.bundle.exporting import add
from mitmcache.bundle.file import BundleWriter
from mitmcache.cache import record
from mitmcache.cache.record import Corrupt
from mitmcache.store.base import Entry
from mitmcache.store.disk import DiskStore


async def test_a_record_is_added_whole_or_not_at_all(tmp_path: Path) -> None:
    disk = DiskStore(tmp_path, 10_000_000, now=lambda: 1_000_000.0)
    disk.open()
    blob = record.encode(made(0))
    disk.put(Entry(KEYS[0], blob, 0.0))
    disk.put(Entry(KEYS[1], blob, 0.0))
    target = io.BytesIO()
    writer = BundleWriter(target)
    assert await add(writer, disk, KEYS[0]) == len(blob)
    size = len(target.getvalue())
    with pytest.raises(Corrupt, match="another key"):
        await add(writer, disk, KEYS[1])
    with pytest.raises(Corrupt, match="gone in the meantime"):
        await add(writer, disk, KEYS[2])
    assert len(target.getvalue()) == size
    writer.close()
    (tmp_path / "bundle.tar").write_bytes(target.getvalue())
    assert keys_of(tmp_path / "bundle.tar") == [KEYS[0]]
    await disk.close(5)
