"""Puts records of the local disk into a bundle, each only if it is whole."""

from contextlib import closing

from mitmcache.bundle.file import BundleWriter
from mitmcache.bundle.records import body, opened_blob
from mitmcache.cache.record import Corrupt
from mitmcache.large.records import read_head
from mitmcache.store.disk import DiskStore
from mitmcache.store.names import Names


async def add(writer: BundleWriter, disk: DiskStore, key: str) -> int:
    """How many bytes it has. Raises Corrupt and ForeignVersion, before anything is written."""
    blob = await disk.get(key)
    if blob is None:
        raise Corrupt("gone in the meantime")
    with closing(opened_blob(blob)) as source:
        head = read_head(source)
        if head.meta.key != key:
            raise Corrupt("the record of another key")
        for _ in body(source, head):
            pass
        source.seek(0)
        writer.add(Names().entry(key, head.meta.about), len(blob), head.meta.created, source)
    return len(blob)
