// One call, opened: why it missed, what it cost, its headers, and the way to the whole of it in mitmweb.

import { read } from "./api.js";
import { badge, focusOn } from "./calls.js";
import { closable, el, get } from "./dom.js";
import { bytes, clock, count, money, NONE, span } from "./format.js";

const FWD = {
  "uri-miss": "Nothing is stored under its key.",
  stale: "The stored answer has expired.",
  request: "The request asked not to be answered from the cache, or for a fresher answer.",
  miss: "A stored answer was kept back.",
};
const HIDDEN = "•";

export function details(mitmweb) {
  const dialog = get("detail");
  let shown = "";
  closable(dialog);
  dialog.addEventListener("close", () => focusOn(shown)); // the browser gives it back to the row that was there
  return async (id) => {
    shown = id;
    dialog.replaceChildren(el("p", {}, "…"));
    if (!dialog.open) dialog.showModal();
    try {
      dialog.replaceChildren(...content(await read("call", { id }), mitmweb()));
    } catch (error) {
      dialog.replaceChildren(el("h2", { id: "detail-title" }, "Not to be had"), el("p", { class: "hint" }, error.message), closer());
    }
    dialog.scrollTop = 0;
  };
}

const closer = () => el("button", { type: "button", class: "quiet", "data-close": true, autofocus: true }, "Close");

function* content(call, mitmweb) {
  const name = call.model || call.operation;
  yield el(
    "div",
    { class: "detail-head" },
    el("div", {}, el("h2", { id: "detail-title" }, badge(call.verdict), ` ${name}`), el("p", {}, `${clock(call.at, true)} · ${call.provider} · ${call.host}`)),
    closer(),
  );
  yield explanation(call);
  yield facts([
    ["Answer", call.status ? `${call.status}${call.error ? `, ${call.error}` : ""}` : call.error || NONE],
    ["Took", `${span(call.duration)}, first byte after ${span(call.first_byte)}, decided in ${span(call.decided)}`],
    ["Operation", `${call.operation}${call.streamed ? ", streamed" : ""} (${call.dialect})`],
    ["Client", [call.client, call.agent].filter(Boolean).join(" · ") || NONE],
    ["Sizes", `${bytes(call.request_size)} asked, ${bytes(call.response_size)} answered`],
    ["Cost", cost(call)],
    ["Key", call.key ? el("span", { class: "key" }, call.key) : NONE],
  ]);
  const used = Object.entries(call.usage);
  if (used.length) yield* titled("Used", facts(used.map(([kind, number]) => [kind.replaceAll("_", " "), count(number)])));
  for (const [side, words] of [["request", "Request headers"], ["response", "Answer headers"]]) {
    if (call.headers[side]?.length) yield* titled(words, headers(call.headers[side]));
  }
  if (mitmweb && call.headers.request) {
    const address = `${mitmweb}/#/flows/${encodeURIComponent(call.id)}/request`;
    yield el("p", { class: "actions" }, el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, "All of it in mitmweb"));
  }
}

function explanation(call) {
  const box = el("div", { class: "explain", id: "explanation" });
  const tell = (text) => box.append(el("p", {}, text));
  if (call.verdict === "MISS") {
    tell(FWD[call.reason] || `It was a miss: ${call.reason}.`);
    if (call.nearest && call.differs.length) {
      tell("The nearest stored request differs in:");
      box.append(el("ul", {}, ...call.differs.map((place) => el("li", {}, el("code", {}, place)))));
    } else if (call.reason === "uri-miss") tell("There is no similar request to compare it with.");
    if (call.unstored) tell(`Its answer was not kept: ${call.unstored}.`);
  } else if (call.verdict === "BYPASS") tell(`It was neither looked up nor kept: ${call.reason}.`);
  else tell(`${call.verdict === "STALE" ? "An answer that has expired was given, " : "Answered "}from ${call.tier || "the cache"}.`);
  return box;
}

function cost(call) {
  if (!call.costs) return "unknown";
  const { input, output, total, cache_savings: less } = call.costs;
  const words = call.ledger === "saved" ? "saved: " : "";
  const own = less ? `; the provider's own prompt cache made it ${money(Math.abs(less))} ${less > 0 ? "less" : "more"}` : "";
  return `${words}${money(total)} (input ${money(input)}, output ${money(output)}${own})`;
}

const facts = (pairs) => el("dl", { class: "facts explain" }, ...pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

const titled = (title, part) => [el("h3", {}, title), part];

const headers = (pairs) =>
  el(
    "table",
    {},
    el("tbody", {}, ...pairs.map(([name, value]) =>
      el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: value.startsWith(HIDDEN) ? "secret" : null }, value.startsWith(HIDDEN) ? el("span", { "aria-label": "not shown" }, value) : value)),
    )),
  );
