"""A mitmproxy script: ours, but nobody is told of finished calls, and there is no dashboard."""

from mitmcache.addons import default_addons
from mitmcache.addons.journaling import Journaling

addons = default_addons()
for each in addons:
    if isinstance(each, Journaling):
        each.journal._listeners.clear()
