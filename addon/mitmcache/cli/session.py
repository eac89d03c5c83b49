"""What `exec`, `env` and `doctor` have in common: the settings, the proxy, and what a program is told."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mitmcache import settings
from mitmcache.cli import places
from mitmcache.cli.places import folder_of, gather
from mitmcache.cli.where import Failed, Wrong
from mitmcache.launch import find
from mitmcache.launch.find import Found, NotFound
from mitmcache.launch.told import told
from mitmcache.settings import BadOption, Settings

OURS = "llm_"


@dataclass(frozen=True)
class Session:
    """`given` are our options as the user gave them, `others` mitmproxy's, from --set."""

    environ: Mapping[str, str]
    confdir: Path
    given: Mapping[str, str]
    others: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        """Exits where an option is wrong."""
        try:
            defaults = {option.name: option.default for option in settings.OPTIONS}
            return settings.parse({**defaults, **self.given}, self.environ)
        except BadOption as error:
            raise Wrong(str(error)) from None

    def running(self) -> Found | None:
        """Exits where one was named that is of no use."""
        try:
            return find.find(self.environ, self.confdir, self.settings.data_dir, self.hosts)
        except NotFound as error:
            raise Failed(str(error)) from None

    @property
    def proxyauth(self) -> str:
        """mitmproxy's option, as a proxy that is started with these would have it. config.yaml wins."""
        return {**self.others, **places.others(self.confdir)}.get("proxyauth", "")

    def with_hosts(self, hosts: str) -> "Session":
        return replace(self, given={**self.given, "llm_hosts": hosts})

    @property
    def hosts(self) -> str:
        return self.given.get("llm_hosts", "")

    def told(self, found: Found, folder: Path) -> dict[str, str]:
        """The variables for a program that uses this proxy; files that it needs are made in `folder`."""
        try:
            return told(self.environ, found.url, found.ca, found.hosts, folder)
        except (OSError, ValueError) as error:
            raise Failed(f"the CA files for programs cannot be made: {error}") from None


def session(confdir: str | None, said: Sequence[str], environ: Mapping[str, str] = os.environ) -> Session:
    """Exits where an option is wrong, or unknown."""
    ours, others = [], {}
    for word in said:
        name, equals, value = word.partition("=")
        if equals and name == "confdir":
            confdir = confdir or value
        elif equals and not name.startswith(OURS):
            others[name] = value
        else:
            ours.append(word)
    try:
        given = gather(confdir if confdir and Path(confdir).expanduser().is_dir() else None, ours, environ)
    except BadOption as error:
        raise Wrong(str(error)) from None
    return Session(environ, folder_of(confdir, environ), given, others)
