"""What mitmproxy loads where there is no checkout. Alone in its folder, which mitmproxy makes importable."""

from mitmcache.addons import default_addons

addons = default_addons()
