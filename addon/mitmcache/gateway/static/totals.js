// The totals, the groups, the latency and the store: numbers that are refreshed all at once.

import { el, get, meter, say, table } from "./dom.js";
import { bytes, count, money, NONE, percent, plural, short, span } from "./format.js";

let spokenAt = 0;

const tokens = (sums) => sums.input_tokens + sums.output_tokens;
const unpriced = (sums) => (sums.unknown_price ? `, ${plural(sums.unknown_price, "call")} of unknown price` : "");

export function tiles({ billed, saved, served }) {
  const calls = billed.calls + saved.calls;
  const failed = calls - served.calls;
  const told = [
    ["ratio", "Hit ratio", percent(saved.calls, calls), `${short(saved.calls)} of ${plural(calls, "call")}`],
    ["saved", "Money saved", money(saved.dollars), `${money(billed.dollars)} spent${unpriced(billed)}`],
    ["tokens", "Tokens saved", short(tokens(saved)), `${short(tokens(billed))} billed`],
    ["calls", "Calls", short(calls), `${short(billed.calls)} went upstream`],
    ["failed", "Failed", short(failed), calls ? `${percent(failed, calls)} of the calls` : "of none"],
  ];
  for (const [name, title, value, aside] of told) {
    const box = get(`tile-${name}`) || tile(name, title);
    say(box.children[1], value);
    say(box.children[2], aside);
    box.children[1].classList.toggle("bad", name === "failed" && failed > 0);
  }
  // aloud now and then, not at each call
  if (Date.now() - spokenAt > 15000) {
    spokenAt = Date.now();
    say(get("spoken"), `Hit ratio ${percent(saved.calls, calls)}, ${plural(calls, "call")}, ${money(saved.dollars)} saved`);
  }
}

function tile(name, title) {
  const box = el("div", { class: name === "ratio" ? "tile first" : "tile", id: `tile-${name}` }, el("dt", {}, title), el("dd"), el("dd", { class: "aside" }));
  get("tiles").append(box);
  return box;
}

export function groups(rows, by) {
  const title = by[0].toUpperCase() + by.slice(1);
  table(
    get("groups"),
    [
      { name: title },
      { name: "Calls", class: "number" },
      { name: "Hit ratio" },
      { name: "Saved", class: "number" },
      { name: "Spent", class: "number narrow-off" },
      { name: "Tokens saved", class: "number narrow-off" },
    ],
    rows.map(({ name, billed, saved }) => {
      const calls = billed.calls + saved.calls;
      return el(
        "tr",
        {},
        el("th", { scope: "row" }, name || "(none)"),
        el("td", { class: "number" }, count(calls)),
        el("td", { class: "one-line" }, meter(saved.calls / calls), percent(saved.calls, calls)),
        el("td", { class: "number" }, money(saved.dollars)),
        el("td", { class: "number narrow-off" }, money(billed.dollars)),
        el("td", { class: "number narrow-off" }, short(tokens(saved))),
      );
    }),
  );
  if (!rows.length) get("groups").replaceChildren(el("tbody", {}, el("tr", {}, el("td", { class: "empty" }, "No calls in this span of time."))));
}

export function latency({ hit, miss }) {
  const most = Math.max(hit.p50 || 0, miss.p50 || 0) || 1;
  const part = (name, kind, found) =>
    el(
      "div",
      { class: "row" },
      el("span", {}, name),
      el("strong", {}, span(found.p50)),
      meter(found.p50 ? Math.max(0.01, found.p50 / most) : 0, kind),
      el("small", {}, `95 of 100 within ${span(found.p95)} · ${plural(found.calls, "answer")}`),
    );
  const parts = [part("From the cache, median", "hit", hit), part("From upstream, median", "miss", miss)];
  if (hit.p50 && miss.p50) {
    const times = miss.p50 / hit.p50;
    parts.push(el("p", {}, el("span", { class: "faster" }, `${times >= 10 ? count(Math.round(times)) : times.toFixed(1)} × `), "as fast from the cache"));
  }
  get("times").replaceChildren(el("div", { class: "latency" }, ...parts));
}

export function store(found, about) {
  const facts = [];
  const fact = (name, value, bad = false) => facts.push(el("dt", {}, name), el("dd", { class: bad ? "bad" : null }, value));
  fact("Where", about?.store ? "bucket, disk, memory" : "disk, memory");
  fact("Entries", count(found.entries));
  fact("Size", bytes(found.bytes));
  fact("Kept since the start", count(found.stored));
  if (about?.store) {
    fact("Waiting for upload", found.upload_pending ? `${count(found.upload_pending)}, ${bytes(found.upload_pending_bytes)}` : "0");
    const breaker = found.bucket?.breaker;
    fact("Bucket", { closed: "works", open: "fails, and is left alone", starting: "starting" }[breaker] || NONE, breaker === "open");
    fact("Lookups failed", count(found.lookup_failed), found.lookup_failed > 0);
    fact("Lookups too slow", count(found.lookup_timeout), found.lookup_timeout > 0);
  }
  const lost = (found.write_failed || 0) + (found.queue_full || 0) + (found.spool_full || 0);
  fact("Could not be kept", count(lost), lost > 0);
  fact("Corrupt", count(found.corrupt), found.corrupt > 0);
  get("store").replaceChildren(...facts);
}

