// Three charts of the same steps of time. The page has the same numbers as a table.
/* global uPlot */

import { el, get, table } from "./dom.js";
import { clock, count, money, percent, plural, short } from "./format.js";

const HEIGHT = () => (matchMedia("(max-width: 720px)").matches ? 150 : 180);
let plots = [];
let shown = null;

/** What a custom property comes to, here and now: a canvas knows no light-dark(). */
function colour(name, alpha = 1) {
  const probe = document.body.appendChild(el("span", { hidden: true }));
  probe.style.color = alpha < 1 ? `color-mix(in srgb, var(--${name}) ${alpha * 100}%, transparent)` : `var(--${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const row = (each, at) => ({
  at,
  hits: each?.saved.calls || 0,
  asked: each?.billed.calls || 0,
  saved: each?.saved.dollars || 0,
  billed: each?.billed.dollars || 0,
});

/** One entry for each step, those without calls too. */
function steps(summary) {
  const known = new Map(summary.series.map((each) => [each.at, each]));
  const found = [];
  for (let at = summary.since; at < summary.until; at += summary.step) {
    found.push(row(known.get(at), at));
  }
  return found;
}

const bars = (label, name, values) => ({
  label,
  stroke: colour(name),
  fill: colour(name),
  width: 0,
  points: { show: false },
  paths: uPlot.paths.bars({ size: [0.72, 26, 1], radius: 0.15 }),
  values,
});

function plot(id, series, data, axis, read, tight = {}) {
  const box = get(id);
  box.replaceChildren();
  const grid = { stroke: colour("line"), width: 1 };
  const text = { stroke: colour("soft"), font: "11px system-ui, sans-serif", ticks: { show: false } };
  const step = shown.summary.step;
  const made = new uPlot(
    {
      width: box.clientWidth,
      height: HEIGHT(),
      padding: [8, 6, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { range: [shown.summary.since - step / 2, shown.summary.until - step / 2] }, y: tight },
      series: [{}, ...series],
      axes: [
        { ...text, grid: { show: false }, space: 70, size: 26, values: times },
        { ...text, grid, size: 54, gap: 4, space: 32, values: (_, ticks) => ticks.map(axis) },
      ],
      hooks: { setCursor: [(self) => read(self.cursor.idx ?? null)] },
    },
    data,
    box,
  );
  read(null);
  plots.push(made);
}

function times(_, ticks) {
  const days = shown.summary.step >= 10800;
  return ticks.map((at) => (days ? clock(at, true, false).slice(5, 10) : clock(at, false, false)));
}

function reading(id, at, parts) {
  const when = at === null ? [] : [`${clock(at, shown.summary.step >= 1800, false)} `];
  get(id).replaceChildren(...when, ...parts.map(([kind, text]) => el("span", { class: `key ${kind}` }, text)));
}

function draw() {
  for (const each of plots) each.destroy();
  plots = [];
  const { rows, summary } = shown;
  const all = row(summary.total, null);
  const at = rows.map((each) => each.at);
  const of = (value) => rows.map(value);
  const one = (index) => (index === null ? all : rows[index]);
  const when = (index) => (index === null ? null : rows[index].at);
  const calls = (each) => each.hits + each.asked;

  plot(
    "plot-ratio",
    [{ stroke: colour("hit"), width: 2, fill: colour("hit", 0.14), spanGaps: true, points: { show: true, size: 5, fill: colour("hit") } }],
    [at, of((each) => (calls(each) ? (each.hits / calls(each)) * 100 : null))],
    (value) => `${value}%`,
    (index) => reading("read-ratio", when(index), [["hit", `${percent(one(index).hits, calls(one(index)))} of ${plural(calls(one(index)), "call")}`]]),
    { range: [0, 100] },
  );
  plot(
    "plot-calls",
    [bars("asked", "miss"), bars("hits", "hit")],
    [at, of((each) => calls(each) || null), of((each) => each.hits || null)],
    (value) => (Number.isInteger(value) ? short(value) : ""),
    (index) => reading("read-calls", when(index), [["hit", plural(one(index).hits, "hit")], ["miss", `${short(one(index).asked)} upstream`]]),
    { range: (_, low, high) => [0, Math.max(4, high * 1.08)] },
  );
  plot(
    "plot-money",
    [bars("billed", "billed"), bars("saved", "hit")],
    [at, of((each) => each.saved + each.billed || null), of((each) => each.saved || null)],
    (value) => money(value),
    (index) => reading("read-money", when(index), [["saved", `${money(one(index).saved)} saved`], ["billed", `${money(one(index).billed)} spent`]]),
    { range: (_, low, high) => [0, Math.max(0.0001, high * 1.08)] },
  );
}

export function charts(summary) {
  shown = { summary, rows: steps(summary) };
  draw();
  table(
    get("series"),
    [{ name: "From" }, ...["Hits", "Upstream", "Saved", "Spent"].map((name) => ({ name, class: "number" }))],
    summary.series.map((each) => row(each, each.at)).map((each) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, clock(each.at, true, false)),
        ...[count(each.hits), count(each.asked), money(each.saved), money(each.billed)].map((text) => el("td", { class: "number" }, text)),
      ),
    ),
  );
}

export function recolour() {
  if (shown) draw();
}

let settling;
new ResizeObserver(() => {
  clearTimeout(settling);
  settling = setTimeout(() => {
    for (const each of plots) each.setSize({ width: each.root.parentElement.clientWidth, height: HEIGHT() });
  }, 60);
}).observe(document.body);
