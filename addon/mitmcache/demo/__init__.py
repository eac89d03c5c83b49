"""`python -m mitmcache.demo`: the cache at work, with no key and no network.

`ask` is the program that somebody runs; it knows nothing of a cache. `upstream` stands for the
provider, `redirect` makes the proxy dial it. `__main__` plays them and tells what happened.
"""
