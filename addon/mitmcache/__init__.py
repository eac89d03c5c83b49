"""Answers repeated LLM API calls from a cache, as an addon of mitmproxy.

Reading order, from the words to the machine:

1. `exchange`, `reasons`: what a call and a reply are, and why something was not done.
2. `providers`: who speaks which dialect, and what in a request of that dialect does not count.
3. `wire`: bytes in, events out, whatever the chunking.
4. `cache`: may this call be looked up, under which key, may its reply be kept, what does a client get.
   Pure, as is all of the above: no clock, no files, no mitmproxy.
5. `store`: bytes by key, in memory and on disk.
6. `addons`: the only part that knows mitmproxy. `default_addons()` is the pipeline, in order.
"""

__version__ = "0.1.0"
