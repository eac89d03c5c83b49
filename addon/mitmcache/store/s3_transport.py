"""HTTP connections for boto3 that keep to the limit of the operation they serve.

Imports botocore: only for a thread that may take a while.
"""

import io
import socket
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
    AWSPreparedRequest,
    AWSResponse,
)
from botocore.httpsession import URLLib3Session

from mitmcache.store import s3_limits

BUFFER = 64 * 1024
KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]

if TYPE_CHECKING:
    from http.client import HTTPConnection as _Connection
else:
    _Connection = object


class _Incoming(io.RawIOBase):
    """A socket's bytes, each receive within the limit of the thread that asks."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._longest = sock.gettimeout() or 60.0
        self._raw: Any = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(s3_limits.wait(self._longest))
        count: int = self._raw.readinto(buffer)
        s3_limits.took(count)
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Incoming(sock), BUFFER)


class _Limited(_Connection):
    response_class = _Response
    stall: float
    """Seconds that a peer may take for one block that we send."""

    def connect(self) -> None:
        self.timeout = s3_limits.wait(self.timeout or 60.0)
        super().connect()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(s3_limits.wait(self.stall))
        super().send(data)


class Transport(URLLib3Session):
    """What boto3 sends its requests with. `connect` and `read` are the longest single waits, in seconds.

    It knows no proxy, whatever the environment says, and trusts the authorities in `ca_bundle` alone.
    """

    def __init__(self, ca_bundle: str, connections: int, connect: float, read: float) -> None:
        arguments: dict[str, Any] = {  # their annotations are narrower than what botocore itself gives
            "verify": ca_bundle,
            "proxies": {},
            "timeout": (connect, read),
            "max_pool_connections": connections,
            "socket_options": KEEP_ALIVE,
        }
        super().__init__(**arguments)
        manager: Any = getattr(self, "_manager")  # noqa: B009 - no public way leads to it
        manager.pool_classes_by_scheme = _pools(read)

    def __call__(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """For boto3's event `before-send`: what it returns is the answer.

        Expect is taken off: R2 does not speak 100-continue, and waiting for it costs a round trip. It is not
        among the signed headers.
        """
        s3_limits.wait(0)
        if "Expect" in request.headers:
            del request.headers["Expect"]
        response: AWSResponse = self.send(request)
        return response


def _pools(stall: float) -> dict[str, type]:
    plain = type("_Http", (_Limited, AWSHTTPConnection), {"stall": stall})
    tls = type("_Https", (_Limited, AWSHTTPSConnection), {"stall": stall})
    return {
        "http": type("_HttpPool", (AWSHTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("_HttpsPool", (AWSHTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
