"""The files of the dashboard, as the package has them."""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "LICENSE": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    type: str
    etag: str


def load() -> dict[str, Asset]:
    """By path, `/` for the page itself. Reads all of them, which blocks."""
    found: dict[str, Asset] = {}
    folders = [("/", files("mitmcache.gateway").joinpath("static"))]
    while folders:
        prefix, folder = folders.pop()
        for entry in folder.iterdir():
            if entry.is_dir():
                folders.append((f"{prefix}{entry.name}/", entry))
            elif kind := TYPES.get(entry.name.rpartition(".")[2]):
                body = entry.read_bytes()
                digest = f'"{sha256(body).hexdigest()[:32]}"'
                path = "/" if entry.name == "index.html" else f"{prefix}{entry.name}"
                found[path] = Asset(body, kind, digest)
    return found
