"""How long the product waits, where a test runs it in this process: as long as a busy machine may take.

Most waits end as soon as something happens, and a deadline that is hit is the product's decision to go on
without, which is right for a proxy and no finding for a test. A test of a deadline sets its own.
"""

import sys

LONG = 60.0
WAITS = {
    "mitmcache.addons.alerting": ("CLOSE",),
    "mitmcache.addons.bodies": ("CLOSE",),
    "mitmcache.addons.history": ("CLOSE", "TOLD"),
    "mitmcache.addons.journaling": ("CLOSE",),
    "mitmcache.addons.log": ("CLOSE",),
    "mitmcache.addons.metrics": ("TOLD",),
    "mitmcache.addons.place": ("READY",),
    "mitmcache.addons.storage": ("CLOSE", "SETTLE"),
    "mitmcache.addons.tape": ("END",),
    "mitmcache.addons.telemetry": ("CLOSE", "SEND"),
    "mitmcache.journal.history": ("READ", "SOON"),
    "mitmcache.purge.control": ("PUSH_SECONDS", "READ_SECONDS"),
    "mitmcache.purge.purger": ("DISK_SECONDS",),
    "mitmcache.store.disk": ("SOON_SECONDS",),
    "mitmcache.store.ledger": ("READ_SECONDS", "SOON_SECONDS", "WRITE_SECONDS"),
    "mitmcache.store.r2": ("START_SECONDS",),
    "mitmcache.store.s3_large": ("ABORT_SECONDS",),
    "mitmcache.store.s3_session": ("READ_CONNECT", "READ_WAIT", "WRITE_CONNECT", "WRITE_WAIT"),
    "mitmcache.store.schema": ("BUSY_SECONDS",),
    "mitmcache.store.tiers": ("DEADLINE",),
    "mitmcache.stores": ("FLUSH",),
}


def be_patient() -> None:
    """Of the modules that are imported by now."""
    for name, waits in WAITS.items():
        if module := sys.modules.get(name):
            for wait in waits:
                assert isinstance(getattr(module, wait), float)
                setattr(module, wait, LONG)
