// The dashboard: reads all there is once, then again when calls end, and now and then for the time that passes.

import { read, tokenFromLink, unlock } from "./api.js";
import { Calls } from "./calls.js";
import { charts, recolour } from "./charts.js";
import { mode, purging, unlocking } from "./changes.js";
import { details } from "./detail.js";
import { get, say } from "./dom.js";
import { age } from "./format.js";
import { listen } from "./live.js";
import { theme } from "./theme.js";
import { groups, latency, store, tiles } from "./totals.js";

const PACE = 1000;
const IDLE = 30000;
const PAGE = 50;
let about = null;
let summary = null;

const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

function notice(text) {
  get("notice").hidden = !text;
  say(get("notice"), text);
}

/** At most once in a while, and once more for what was asked meanwhile; the more it costs, the less often. */
function paced(work, pace) {
  let running = false;
  let again = false;
  return async function run() {
    again = true;
    if (running) return;
    running = true;
    while (again) {
      again = false;
      const began = performance.now();
      try {
        await work();
        notice("");
      } catch (error) {
        notice(error.message);
      }
      const rest = Math.max(pace, 4 * (performance.now() - began));
      await new Promise((resolve) => setTimeout(resolve, rest));
    }
    running = false;
  };
}

const refresh = paced(async () => {
  const found = await read("summary", { range: chosen("range") });
  if (found.range !== chosen("range")) return;
  summary = found;
  tiles(summary.total);
  charts(summary);
  latency(summary.latency);
  groups(summary.by[chosen("by")], chosen("by"));
}, PACE);

const refreshStore = paced(async () => store(await read("store"), about), 3 * PACE);

async function refreshAbout() {
  about = await read("about");
  showMode(about);
  showPurge(about);
  say(get("footer"), `mitmcache ${about.version}, up for ${age(about.now - about.started)}${about.store ? `, bucket ${about.store}` : ""}`);
}

async function refreshCalls() {
  calls.reading();
  calls.replace((await read("calls", { limit: PAGE })).calls);
}

const all = paced(async () => {
  await Promise.all([refreshAbout(), refreshCalls()]);
  refresh();
  refreshStore();
}, PACE);

const ask = unlocking();
const showMode = mode(ask, notice, all);
const showPurge = purging(ask, () => {
  refresh();
  refreshStore();
});
const calls = new Calls(details(() => about?.mitmweb));

theme(get("theme"), recolour);
get("range").addEventListener("change", refresh);
get("by").addEventListener("change", () => summary && groups(summary.by[chosen("by")], chosen("by")));
get("older").addEventListener("click", async () => {
  try {
    calls.append((await read("calls", { limit: PAGE, before: calls.last })).calls);
  } catch (error) {
    notice(error.message);
  }
});

const WORDS = { live: "live", lost: "no connection", waiting: "connecting" };
listen({
  calls: (arrived) => {
    calls.arrived(arrived);
    refresh();
    refreshStore();
  },
  missed: all,
  state: (name) => {
    get("link").dataset.state = name;
    say(get("link-text"), WORDS[name]);
  },
});
setInterval(() => document.hidden || refresh(), IDLE);

const brought = tokenFromLink();
if (brought) unlock(brought).catch((error) => notice(error.message));
all();
