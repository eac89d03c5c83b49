"""What mitmproxy does with connections for each flow and event, without what is thrown away at once."""

from functools import wraps

from mitmproxy.connection import Client, Connection, Server
from mitmproxy.proxy.context import Context

from mitmcache.internals import Function, Shortcut


def quick_fork(original: Function) -> Function:
    """A context for what is inside. mitmproxy makes it with a connection of its own, id and all, and then
    puts that of the outer one in its place."""

    @wraps(original)
    def fork(self: Context) -> Context:
        made = Context.__new__(Context)
        made.client, made.options = self.client, self.options
        made.server, made.layers = self.server, self.layers.copy()
        return made

    return fork


def quick_same(original: Function) -> Function:
    """Two connections are the same if their ids are. What is one needs no look at an abstract class."""

    @wraps(original)
    def same(self: Connection, other: object) -> bool:
        if type(other) is Client or type(other) is Server:
            return self is other or self.id == other.id
        return bool(original(self, other))

    return same


SHORTCUTS = (
    Shortcut(
        Context,
        "fork",
        quick_fork,
        {
            "proxy.context": "6eb6f92863b8dafa",
            "proxy.context.Context.fork": "cad9374a0689f10a",
        },
    ),
    Shortcut(
        Connection,
        "__eq__",
        quick_same,
        {
            "connection": "e8e7f3a695e17cd1",
            "connection.Connection.__eq__": "04776846f3cf761c",
        },
    ),
)
