"""What a program is told of a proxy: variables, and the files that they name."""

from collections.abc import Mapping
from pathlib import Path

from mitmcache.launch import environment, trust


def told(environ: Mapping[str, str], url: str, ca: Path, hosts: str, folder: Path) -> dict[str, str]:
    """What to set for a program whose environment is `environ`, so that it uses the proxy at `url` and trusts
    its `ca`. The files are made in `folder`. `hosts` is the proxy's llm_hosts.

    Raises OSError and ValueError where the files cannot be made.
    """
    made = trust.make(folder, trust.gather(ca, environ))
    decrypted = [word.partition("=")[0] for word in hosts.replace(",", " ").split()]
    mine = not (Path(environ.get("HOME") or "~").expanduser() / ".wgetrc").exists()
    return environment.variables(environ, url, made, ca.parent, decrypted, wgetrc=mine)
