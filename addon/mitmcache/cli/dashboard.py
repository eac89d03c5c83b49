"""`mitmcache dashboard`: the link to the dashboard of the running proxy, with its token."""

import http.client
import json
import secrets
from collections.abc import Sequence

import click

from mitmcache.cli.places import places
from mitmcache.cli.session import session
from mitmcache.cli.where import Failed
from mitmcache.gateway import token
from mitmcache.gateway.security import proof, same

SECONDS = 5.0
MOST = 1 << 16


@click.command()
@places
def dashboard(confdir: str | None, said: Sequence[str]) -> None:
    """Print the link that opens the dashboard of the running proxy.

    It carries a token: whoever has the link may purge, and change the mode.
    """
    settings = session(confdir, said).settings
    if not settings.gateway_port:
        raise Failed("llm_gateway_port=0: there is no dashboard")
    where = f"http://127.0.0.1:{settings.gateway_port}/"
    secret = token.read(settings.data_dir)
    if not secret:
        raise Failed(f"no proxy has made a token in {settings.data_dir}: start one, or name its llm_data_dir")
    status, proved = _asked(settings.gateway_port, secret)
    if status == 401:
        raise Failed(
            f"{where} asks for a name and a password (proxyauth): open it, "
            f"and paste the token in {settings.data_dir / token.NAME} when it asks for one"
        )
    # any program could listen there, and would read the token out of the link
    if not proved:
        raise Failed(f"nobody at {where} knows the token in {settings.data_dir}: is the proxy running?")
    click.echo(f"{where}#token={secret}")


def _asked(port: int, secret: str) -> tuple[int, bool]:
    """The status, and whether who listens there has shown that it knows the token, without being told."""
    nonce = secrets.token_hex(16)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", f"/healthz?nonce={nonce}")
        reply = connection.getresponse()
        found = json.loads(reply.read(MOST)) if reply.status == 200 else {}
        return reply.status, same(str(found.get("proof", "")), proof(secret, nonce))
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return 0, False
    finally:
        connection.close()
