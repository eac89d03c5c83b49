from mitmcache.addons import default_addons

addons = default_addons()
