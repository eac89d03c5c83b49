"""The only importers of mitmproxy: one feature, one file, one class."""

from mitmcache.addons.alerting import Alerting
from mitmcache.addons.bodies import BodyLog
from mitmcache.addons.bundle import CaBundle
from mitmcache.addons.calls import Calls
from mitmcache.addons.capture import Capture
from mitmcache.addons.control import Control
from mitmcache.addons.dispatcher import Dispatcher
from mitmcache.addons.gateway import Gateway
from mitmcache.addons.history import CallHistory
from mitmcache.addons.journaling import Journaling
from mitmcache.addons.log import CallLog
from mitmcache.addons.lookup import Lookup
from mitmcache.addons.marks import Marks
from mitmcache.addons.metrics import Metrics
from mitmcache.addons.note import RunningNote
from mitmcache.addons.options import Options
from mitmcache.addons.place import ProxyPlace
from mitmcache.addons.pruner import Pruner
from mitmcache.addons.purge import Purge
from mitmcache.addons.relayed import Relayed
from mitmcache.addons.samples import Samples
from mitmcache.addons.scope import Scope
from mitmcache.addons.startup import Startup
from mitmcache.addons.storage import Storage
from mitmcache.addons.telemetry import Telemetry
from mitmcache.addons.upstream import Upstream
from mitmcache.addons.view import LlmView
from mitmcache.addons.websocket import WebSocketFallback
from mitmcache.tally import Tally


def default_addons(secret: bytes = b"") -> list[object]:
    """The pipeline: mitmproxy calls the hooks of these in this order, for requests and replies alike.

    A new list at each call, since a hot reload must not get back addons that are done. `secret`: see Storage.
    """
    tally = Tally()
    options = Options()
    storage = Storage(options, tally, secret)
    relayed = Relayed()
    samples = Samples(storage)
    journaling = Journaling(options)
    history = CallHistory(options, journaling)
    metrics = Metrics(storage, journaling, tally)
    return [
        options,
        Dispatcher(options),
        CaBundle(),
        Gateway(options, ProxyPlace(options, storage, journaling, history, metrics)),
        Startup(),
        storage,
        RunningNote(options),
        Scope(options),
        Upstream(),
        Control(storage, history, metrics),
        WebSocketFallback(options),
        Calls(options),
        Lookup(options, storage, tally, relayed, samples),
        relayed,
        Capture(options, storage, tally),
        samples,
        BodyLog(options),
        journaling,
        history,
        metrics,
        Alerting(options, storage, journaling),
        CallLog(options, journaling),
        Telemetry(journaling),
        Marks(),
        LlmView(options),
        Purge(storage),
        Pruner(),
    ]
