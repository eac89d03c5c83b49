"""Programs that may be installed: HAProxy before two of ours, nginx as the ceiling, LiteLLM as a peer."""

import asyncio
import os
import shutil
import socket
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

from bench.measure import BenchError
from mitmcache.launch.environment import unproxied

READY = 60.0

HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen proxies
    bind 127.0.0.1:{port}
    balance roundrobin
{servers}
"""
NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 10000000;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        location / {{
            default_type application/json;
            return 200 '{answer}';
        }}
    }}
}}
"""
LITELLM = """
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_key: bench, mock_response: "{answer}"}}
general_settings: {{master_key: {key}}}
litellm_settings:
  cache: true
  cache_params: {{type: local}}
"""


def installed(program: str) -> bool:
    return _path(program) is not None


def _path(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def haproxy(folder: Path, ports: Sequence[int]) -> AsyncIterator[tuple[int, int]]:
    """The port before these ports, to which connections go in turn, and its pid."""
    port = _free_port()
    servers = "\n".join(f"    server s{each} 127.0.0.1:{each}" for each in ports)
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(port=port, servers=servers))
    async with _running([_path("haproxy") or "", "-db", "-f", str(config)], port) as pid:
        yield port, pid


@asynccontextmanager
async def nginx(folder: Path, pem: Path, answer: bytes) -> AsyncIterator[tuple[int, int]]:
    """Its port, over TLS, and the pid of the process that answers: always the same bytes, to anything."""
    port = _free_port()
    config = folder / "nginx.conf"
    text = answer.decode().replace("\\", "\\\\").replace("'", "\\'").replace("$", "")
    config.write_text(NGINX.format(folder=folder, port=port, pem=pem, answer=text))
    async with _running([_path("nginx") or "", "-p", str(folder), "-c", str(config)], port) as pid:
        yield port, _child(pid)


def _child(pid: int) -> int:
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return int(children[0]) if children else pid
    return 0


@asynccontextmanager
async def litellm(folder: Path, answer: str, key: str) -> AsyncIterator[tuple[int, int]]:
    """Its port, over plain HTTP, and its pid. It is installed into the folder, which takes minutes.

    `key` is what it asks its callers for.
    """
    python = folder / "litellm" / "bin" / "python"
    await _done(sys.executable, "-m", "venv", str(folder / "litellm"))
    await _done(str(python), "-m", "pip", "install", "--quiet", "litellm[proxy]")
    config = folder / "litellm.yaml"
    config.write_text(LITELLM.format(answer=answer, key=key))
    port = _free_port()
    command = [str(python.with_name("litellm")), "--config", str(config), "--host", "127.0.0.1"]
    async with _running([*command, "--port", str(port)], port) as pid:
        yield port, pid


async def _done(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=DEVNULL, stdin=DEVNULL)
    if await process.wait():
        raise BenchError(f"failed: {' '.join(command)}")


@asynccontextmanager
async def _running(command: Sequence[str], port: int) -> AsyncIterator[int]:
    """Until it listens; then the pid, and its end at the end."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, env=unproxied(os.environ)
    )
    try:
        await _listening(process, port)
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    deadline = monotonic() + READY
    while process.returncode is None and monotonic() < deadline:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise BenchError(f"it did not start to listen: process {process.pid}")
