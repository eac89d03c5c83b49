"""A page of another origin, on this very machine, and all that it may try against the gateway."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ATTACK = """async (there) => {
  const tried = {};
  const attempt = async (name, work) => { tried[name] = await work().catch(() => "refused"); };
  await attempt("read", async () => (await fetch(there + "api/calls")).text());
  const blind = { mode: "no-cors" };
  await attempt("blind", async () => { await fetch(there + "api/calls", blind); return "sent"; });
  const json = { "content-type": "application/json", "x-mitmcache-token": "x" };
  const post = { method: "POST", headers: json, body: '{"all":"true"}' };
  await attempt("change", async () => (await fetch(there + "api/purge", post)).text());
  const loads = (tag, source, to) => new Promise((resolve, reject) => {
    const made = document.createElement(tag);
    made.onload = () => resolve("loaded");
    made.onerror = reject;
    made[to] = source;
    document.body.append(made);
  });
  await attempt("script", () => loads("script", there + "vendor/uplot.js", "src"));
  await attempt("image", () => loads("img", there + "icon.svg", "src"));
  await attempt("live", () => new Promise((resolve, reject) => {
    const source = new EventSource(there + "api/live");
    source.onmessage = source.onopen = () => resolve("opened");
    source.onerror = reject;
  }));
  const frame = document.createElement("iframe");
  frame.src = there;
  const framed = new Promise((resolve) => { frame.onload = resolve; });
  document.body.append(frame);
  await framed;
  try { tried.frame = frame.contentDocument ? "read" : "refused"; } catch { tried.frame = "refused"; }
  tried.frames = frame.contentWindow.length;
  return tried;
}"""


@contextmanager
def other_origin() -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>other</title><body>"
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
