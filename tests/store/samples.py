"""Entries whose blobs say for themselves whether they are whole and under the right key."""

import hashlib
from dataclasses import replace

from mitmcache.store.base import Blob, Entry, Staged
from mitmcache.store.disk import DiskStore

CHECK_BYTES = 32


def key(name: object) -> str:
    return hashlib.sha256(f"key {name}".encode()).hexdigest()


def blob(key: str, size: int, variant: int = 0) -> bytes:
    """`size` bytes that no other key, and hardly any other variant, has."""
    seed = hashlib.sha256(f"{key} {variant} {size}".encode()).digest()
    body = (bytes.fromhex(key) + seed * (size // len(seed) + 1))[: size - CHECK_BYTES]
    return body + hashlib.sha256(body).digest()


def belongs(key: str, blob: Blob | None) -> bool:
    if not isinstance(blob, bytes):
        return False
    body, check = blob[:-CHECK_BYTES], blob[-CHECK_BYTES:]
    return body.startswith(bytes.fromhex(key)) and hashlib.sha256(body).digest() == check


def entry(name: object, size: int = 1000, variant: int = 0, **more: object) -> Entry:
    made = Entry(key(name), blob(key(name), size, variant))
    return replace(made, **more)  # type: ignore[arg-type]  # the caller names Entry's own fields


def stage(store: DiskStore, name: object, size: int, variant: int = 0, **more: object) -> Entry:
    """An entry whose blob is a finished file."""
    path = store.stage()
    path.write_bytes(blob(key(name), size, variant))
    return replace(Entry(key(name), Staged(path, size)), **more)  # type: ignore[arg-type]  # Entry's own fields
