"""A real S3 server for the tests: SeaweedFS, in one process, on loopback ports and in a folder of its own."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ports

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"
READY_SECONDS = 100
GRPC = 10_000
"""SeaweedFS puts its gRPC ports this far above the others."""
COMPONENTS = ("master", "volume", "filer", "s3", "admin")

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def weed() -> Path:
    """The server's binary. RuntimeError when it is not installed: nothing here may be skipped silently."""
    beside = Path(sys.executable).with_name("weed")
    found = beside if beside.exists() else shutil.which("weed")
    if not found:
        raise RuntimeError("the S3 server for the tests is missing: install the development requirements")
    return Path(found)


class S3Server:
    """Runs while the `with` block does. Buckets are made by `create`, and by nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = ports.several(len(COMPONENTS), GRPC)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self.ports[COMPONENTS.index("s3")]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        """What a user of this server sets."""
        return environ(self.endpoint)

    @cached_property
    def client(self) -> Any:
        """boto3's own, which knows nothing of ours."""
        import boto3
        from botocore.config import Config

        return boto3.session.Session(ACCESS_KEY, SECRET_KEY, region_name="us-east-1").client(
            "s3", endpoint_url=self.endpoint, config=Config(proxies={}, s3={"addressing_style": "path"})
        )

    def create(self) -> str:
        """A new bucket."""
        name = f"b-{uuid.uuid4().hex}"
        self.client.create_bucket(Bucket=name)
        return name

    def start(self) -> Self:
        """Again after `stop`: on the same ports and with what was stored."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "data").mkdir(exist_ok=True)
        config = self.folder / "s3.json"
        credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
        identity = {"name": "test", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List"]}
        config.write_text(json.dumps({"identities": [identity]}))
        listening = [f"-{name}.port={port}" for name, port in zip(COMPONENTS, self.ports, strict=True)]
        # the sockets' paths are made of the port, in /tmp: they would be shared with any other server
        sockets = [f"-{name}.localSocket={self.folder / name}.sock" for name in ("filer", "s3")]
        command = [
            *(str(weed()), "mini", f"-dir={self.folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(*listening, *sockets, f"-s3.config={config}", "-s3.autoCreateBucket=false"),
            *("-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            # a bucket takes several volumes, and their number would be limited by the space on the disk
            *("-master.telemetry=false", "-volume.max=10000"),
        ]
        clean = {name: value for name, value in os.environ.items() if name not in PROXIES}
        with (self.folder / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env=clean
            )
        try:
            self._wait(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        if "client" in self.__dict__:
            self.client.close()
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for name in ("admin", "s3"):  # its leftovers, which no option moves
            port = self.ports[COMPONENTS.index(name)] + GRPC
            Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until the server answers, and no longer with an error of its own."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if process.poll() is not None:
                break
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            with closing(connection), suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/")
                if connection.getresponse().status < 500:
                    return
            time.sleep(0.05)
        tail = (self.folder / "weed.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the S3 server for the tests did not come up:\n{tail}")


def environ(endpoint: str, **more: str) -> dict[str, str]:
    """The variables of a user whose bucket is behind `endpoint`."""
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    return {**keys, "AWS_ENDPOINT_URL_S3": endpoint, **more}
