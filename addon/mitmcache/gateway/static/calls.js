// The last calls, the latest first: a table whose rows open.

import { el, get, table } from "./dom.js";
import { clock, count, money, NONE, span } from "./format.js";

const MOST = 300;
const COLUMNS = [
  { name: "Time" },
  { name: "Verdict" },
  { name: "Model" },
  { name: "Why", class: "narrow-off" },
  { name: "Client", class: "middle-off" },
  { name: "Tokens", class: "number middle-off" },
  { name: "Cost", class: "number narrow-off" },
  { name: "Took", class: "number" },
];

export const badge = (verdict) => el("span", { class: `badge ${verdict.toLowerCase()}` }, verdict);

/** One line that says why: the place that differed, the reason, or where the answer came from. */
export function why(call) {
  if (call.error) return call.error;
  if (call.status >= 400) return `answered ${call.status}`;
  if (call.verdict === "HIT" || call.verdict === "STALE") return call.tier ? `from ${call.tier}` : "";
  if (call.verdict === "BYPASS") return call.reason;
  const where = call.differs.length ? `differs: ${call.differs[0]}` : call.reason;
  return call.unstored ? `${where}; not kept: ${call.unstored}` : where;
}

export const tokens = (call) => (call.input_tokens === null && call.output_tokens === null ? null : (call.input_tokens || 0) + (call.output_tokens || 0));

/** The focus to a call's row, which is made anew with every call that arrives. */
export const focusOn = (id) => document.querySelector(`#calls tr[data-id="${CSS.escape(id)}"] .open`)?.focus();

export class Calls {
  #calls = [];
  #waiting = [];
  #told = []; // the last that have arrived
  #asked; // the last of them when all there is to show was asked for
  #paused = false;
  #open;

  constructor(open) {
    this.#open = open;
    get("pause").addEventListener("click", () => this.#pause());
  }

  get last() {
    return this.#calls.findLast((call) => call.number !== undefined)?.number;
  }

  /** To be said before all there is to show is asked for: what ends meanwhile may not be told. */
  reading() {
    this.#asked = this.#told[0];
  }

  /** All there is to show, but for what has arrived since, or is not written yet. */
  replace(calls) {
    if (this.#paused) return;
    const known = new Set(calls.map((call) => call.id));
    const newest = Math.max(0, ...calls.map((call) => call.at));
    const asked = this.#told.indexOf(this.#asked);
    const lacks = (call, place) => !known.has(call.id) && (asked < 0 || place < asked || call.at > newest);
    this.#calls = [...this.#told.filter(lacks), ...calls].slice(0, MOST);
    this.#show(new Set());
  }

  /** Older ones, below. */
  append(calls) {
    const known = new Set(this.#calls.map((call) => call.id));
    this.#calls.push(...calls.filter((call) => !known.has(call.id)));
    this.#show(new Set());
  }

  /** New ones, which arrive the oldest first. */
  arrived(calls) {
    for (const list of [this.#waiting, this.#told]) {
      list.unshift(...calls.toReversed());
      list.length = Math.min(list.length, MOST);
    }
    if (this.#paused) get("pause").textContent = `Resume (${this.#waiting.length} new)`;
    else this.#take();
  }

  #take() {
    const fresh = new Set(this.#waiting.map((call) => call.id));
    this.#calls = [...this.#waiting, ...this.#calls.filter((call) => !fresh.has(call.id))].slice(0, MOST);
    this.#waiting = [];
    this.#show(fresh);
  }

  #pause() {
    this.#paused = !this.#paused;
    get("pause").setAttribute("aria-pressed", String(this.#paused));
    get("pause").textContent = this.#paused ? "Resume" : "Pause";
    if (!this.#paused) this.#take();
  }

  #show(fresh) {
    const focused = document.activeElement?.closest?.("#calls tr")?.dataset.id;
    table(get("calls"), COLUMNS, this.#calls.map((call) => this.#row(call, fresh.has(call.id))));
    if (focused) focusOn(focused);
    get("calls").hidden = !this.#calls.length;
    get("calls-empty").hidden = this.#calls.length > 0;
    get("older").hidden = this.#calls.length < 50 || this.#calls.length >= MOST || this.last === undefined;
  }

  #row(call, fresh) {
    const name = call.model || call.operation || call.host;
    const bad = call.error || call.status >= 400;
    return el(
      "tr",
      { class: fresh ? "new" : null, "data-id": call.id },
      el("td", { class: "one-line" }, el("time", { datetime: new Date(call.at * 1000).toISOString(), title: clock(call.at, true) }, clock(call.at))),
      el("td", {}, badge(call.verdict)),
      el(
        "td",
        {},
        el("button", { type: "button", class: "open", on: { click: () => this.#open(call.id) } }, name),
        " ",
        el("span", { class: "who middle-off" }, call.provider),
        el("span", { class: bad ? "under bad" : "under" }, why(call)),
      ),
      el("td", { class: bad ? "why narrow-off bad" : "why narrow-off", title: why(call) }, why(call)),
      el("td", { class: "middle-off" }, call.client, " ", el("span", { class: "who" }, call.agent)),
      el("td", { class: "number middle-off" }, count(tokens(call))),
      el("td", { class: "number narrow-off" }, call.ledger === "saved" && call.cost !== null ? `saved ${money(call.cost)}` : money(call.cost)),
      el("td", { class: "number" }, call.status ? span(call.duration) : NONE),
    );
  }
}

