"""What is in the bucket, unreadable and unchangeable for whoever has not the secret.

    "LLMS" | u8 version | 4 zero bytes | salt, 16 random bytes | nonce prefix, 7 random bytes
    | segments: AES-256-GCM of 64 KiB each, the last of what remains, each with its tag of 16 bytes

A segment's nonce is prefix | u32 number of the segment | u8 1 for the last, else 0 (the STREAM construction),
its associated data the 32 bytes of the header and the object's name. So an object that was renamed, cut,
lengthened, mixed with another or put in another order does not open. The key is of this one object, derived
from the salt: no number of objects makes a nonce come twice.
"""

import hmac
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEGMENT = 64 * 1024
TAG = 16
SHORTEST_SECRET = 16
LONGEST_SECRET = 4096
_HEADER = Struct(">4sB4s16s7s")
_MAGIC, _VERSION, _ZERO = b"LLMS", 1, bytes(4)
_NONCE = Struct(">7sIB")
START = _HEADER.size + SEGMENT + TAG
"""With so many bytes of an object, or all of it, `open_start` gives something."""


class NotGenuine(ValueError):
    """Not sealed with this secret under this name, or changed since."""


class ForeignSeal(ValueError):
    """Sealed in a form of another version: to be left alone."""


class Seal:
    """For one namespace (a bucket and a prefix), with keys of its own. Any thread may use it.

    Names are keyed digests: they tell nothing, and are the same for all who have the secret.
    """

    __slots__ = ("_bodies", "_names")

    def __init__(self, secret: bytes, namespace: str) -> None:
        self._names = _derived(secret, b"names", namespace)
        self._bodies = _derived(secret, b"bodies", namespace)

    def digest(self, text: str) -> str:
        """64 hex digits in place of a name."""
        return hmac.digest(self._names, text.encode(), "sha256").hex()

    def seal(self, name: str, blob: bytes) -> bytes:
        header, cipher = self._begin(name)
        cuts = range(0, max(1, len(blob)), SEGMENT)
        segments = (cipher(number, blob[at : at + SEGMENT], at == cuts[-1]) for number, at in enumerate(cuts))
        return b"".join((header, *segments))

    def open(self, name: str, data: bytes) -> bytes:
        """Raises NotGenuine and ForeignSeal."""
        decipher = self._opening(name, data[: _HEADER.size])
        cuts = range(_HEADER.size, max(_HEADER.size + 1, len(data)), SEGMENT + TAG)
        segments = (
            decipher(number, data[at : at + SEGMENT + TAG], at == cuts[-1]) for number, at in enumerate(cuts)
        )
        return b"".join(segments)

    def open_start(self, name: str, data: bytes) -> bytes:
        """What can be opened of the first bytes of an object: whole segments only, unless it is all of it.

        Raises NotGenuine where that is nothing, and ForeignSeal.
        """
        decipher = self._opening(name, data[: _HEADER.size])
        opened: list[bytes] = []
        for number, at in enumerate(range(_HEADER.size, len(data), SEGMENT + TAG)):
            segment = data[at : at + SEGMENT + TAG]
            try:
                opened.append(_either(decipher, number, segment))
            except NotGenuine:
                if len(segment) == SEGMENT + TAG:
                    raise
        if not opened:
            raise NotGenuine("not genuine, or too little of it")
        return b"".join(opened)

    def seal_file(self, name: str, source: BinaryIO, target: BinaryIO) -> int:
        """Reads to the end; gives the bytes written. Never holds more than three segments."""
        header, cipher = self._begin(name)
        written = target.write(header)
        for number, (segment, last) in enumerate(_pieces(source, SEGMENT)):
            written += target.write(cipher(number, segment, last))
        return written

    def open_file(self, name: str, source: BinaryIO, target: BinaryIO) -> int:
        """As `seal_file`. After NotGenuine the target holds a beginning, which is to be thrown away."""
        decipher = self._opening(name, source.read(_HEADER.size))
        written = 0
        for number, (segment, last) in enumerate(_pieces(source, SEGMENT + TAG)):
            written += target.write(decipher(number, segment, last))
        return written

    def _begin(self, name: str) -> "tuple[bytes, _Cipher]":
        salt, prefix = os.urandom(16), os.urandom(7)
        header = _HEADER.pack(_MAGIC, _VERSION, _ZERO, salt, prefix)
        key, data = self._key(salt), header + name.encode()
        return header, lambda number, segment, last: key.encrypt(
            _NONCE.pack(prefix, number, last), segment, data
        )

    def _opening(self, name: str, header: bytes) -> "_Cipher":
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            raise NotGenuine("not sealed")
        _, version, _, salt, prefix = _HEADER.unpack(header)
        if version != _VERSION:
            raise ForeignSeal(f"sealed in version {version}")
        key, data = self._key(salt), header + name.encode()

        def decipher(number: int, segment: bytes, last: bool) -> bytes:
            try:
                return key.decrypt(_NONCE.pack(prefix, number, last), segment, data)
            except InvalidTag:
                raise NotGenuine("not genuine") from None

        return decipher

    def _key(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._bodies, salt, "sha256"))


type _Cipher = Callable[[int, bytes, bool], bytes]


def sealed_size(size: int) -> int:
    """Of what is sealed from so many bytes."""
    return _HEADER.size + size + TAG * max(1, -(-size // SEGMENT))


def load_secret(text: str, environ: Mapping[str, str]) -> bytes:
    """`env:NAME`, or a file's path. Raises ValueError, which shows neither the secret nor the text: that may
    be the secret, put in the wrong place."""
    if text.startswith("env:"):
        value = environ.get(text.removeprefix("env:"))
        if value is None:
            raise ValueError("the environment variable that it names is not set")
        secret = value.encode("utf-8", "surrogateescape").strip()
    else:
        secret = _read(Path(text)).strip()
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(f"the secret is too short: at least {SHORTEST_SECRET} bytes")
    return secret


def _read(path: Path) -> bytes:
    try:
        path = path.expanduser()
        if not path.is_file():  # a device or a pipe may never end
            raise ValueError("it must name a file, or be env: and the name of an environment variable")
        with path.open("rb") as file:
            secret = file.read(LONGEST_SECRET + 1)
    except (OSError, RuntimeError) as error:  # RuntimeError: the ~ of a user who does not exist
        raise ValueError(f"the file that it names cannot be read: {_cause(error)}") from None
    if len(secret) > LONGEST_SECRET:
        raise ValueError(f"the file that it names is too long: at most {LONGEST_SECRET} bytes")
    return secret


def _cause(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _derived(secret: bytes, purpose: bytes, namespace: str) -> bytes:
    info = b"mitmcache seal 1 " + purpose + b"\0" + namespace.encode("utf-8", "surrogateescape")
    return HKDF(SHA256(), 32, None, info).derive(secret)


def _either(decipher: _Cipher, number: int, segment: bytes) -> bytes:
    """Where nobody knows whether it is the last."""
    if len(segment) == SEGMENT + TAG:
        try:
            return decipher(number, segment, False)
        except NotGenuine:
            pass
    return decipher(number, segment, True)


def _pieces(source: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """Pieces of `size` bytes, the last of what remains, and whether each is the last. There is always one."""
    piece = _exactly(source, size)
    while following := _exactly(source, size):
        yield piece, False
        piece = following
    yield piece, True


def _exactly(source: BinaryIO, size: int) -> bytes:
    """Less only at the end: an unbuffered file may give what it has."""
    piece = source.read(size)
    while piece and len(piece) < size and (more := source.read(size - len(piece))):
        piece += more
    return piece
