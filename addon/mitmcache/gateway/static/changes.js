// What changes something: the purge, which shows first what it would take, and the mode. Both need the token.

import { change, Failed, lock, read, unlock, unlocked } from "./api.js";
import { closable, el, get } from "./dom.js";
import { bytes, plural } from "./format.js";

/** Asks for the token where there is none; false: it was not given. */
export function unlocking() {
  const dialog = get("unlock");
  const form = get("unlock-form");
  let done = () => {};
  closable(dialog);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await unlock(form.elements.token.value.trim());
      done(true);
      dialog.close();
    } catch (error) {
      get("unlock-result").textContent = error.message;
    }
  });
  dialog.addEventListener("close", () => {
    form.reset();
    get("unlock-result").textContent = "";
    done(false);
  });
  return () =>
    unlocked()
      ? Promise.resolve(true)
      : new Promise((resolve) => {
          done = resolve;
          dialog.showModal();
        });
}

/** Runs what needs the token; asks for it once more where it is no longer the right one. */
async function permitted(ask, work) {
  for (;;) {
    if (!(await ask())) return null;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Failed) || error.status !== 401) throw error;
      lock();
    }
  }
}

export function mode(ask, failed, changed) {
  const select = get("mode");
  let current;
  select.addEventListener("change", async () => {
    const wanted = select.value;
    select.value = current;
    try {
      if (await permitted(ask, () => change("mode", { mode: wanted }))) changed();
    } catch (error) {
      failed(error.message);
    }
  });
  return (about) => {
    current = about.mode;
    if (!select.options.length) select.append(...about.modes.map((name) => el("option", { value: name }, name)));
    select.value = current;
    select.disabled = !about.changes;
  };
}

export function purging(ask, purged) {
  const dialog = get("purge");
  const form = get("purge-form");
  const result = get("purge-result");
  const go = get("purge-go");
  closable(dialog);

  const conditions = () => {
    const given = form.elements.all.checked ? [["all", "true"]] : [...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
    return Object.fromEntries(given);
  };
  const tell = (text, bad = false) => result.replaceChildren(el("p", { class: bad ? "bad" : "panel" }, text));
  // what was shown is not what would be purged now
  const forget = () => {
    go.hidden = true;
    result.replaceChildren();
    for (const field of form.querySelectorAll(".fields input")) field.disabled = form.elements.all.checked;
  };
  form.addEventListener("input", forget);
  get("purge-open").addEventListener("click", () => {
    form.reset();
    forget();
    dialog.showModal();
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const chosen = conditions();
    try {
      if (!Object.keys(chosen).length) throw new Failed(0, "Give at least one condition, or choose everything.");
      const found = await read("purge", chosen);
      show(found);
      go.textContent = `Purge ${plural(found.entries, "answer")}`;
      go.hidden = found.entries === 0;
      go.onclick = () => purge(chosen);
    } catch (error) {
      go.hidden = true;
      tell(error.message, true);
    }
  });

  function show(found) {
    if (!found.entries) return tell("Nothing on this machine matches.");
    const more = found.more_models ? [el("li", {}, `and ${plural(found.more_models, "model")} more`)] : [];
    const models = found.models.map((each) => el("li", {}, `${plural(each.entries, "answer")} of ${each.provider} ${each.model || "(no model)"}`));
    result.replaceChildren(
      el("div", { class: "panel" }, el("p", {}, el("strong", {}, plural(found.entries, "answer")), `, ${bytes(found.bytes)}, on this machine:`), el("ul", {}, ...models, ...more)),
    );
  }

  async function purge(chosen) {
    go.disabled = true;
    try {
      const done = await permitted(ask, () => change("purge", chosen));
      if (!done) return;
      go.hidden = true;
      tell(`Purged: ${plural(done.deleted, "answer")} deleted.`);
      purged();
    } catch (error) {
      tell(error.message, true);
    } finally {
      go.disabled = false;
    }
  }
  return (about) => {
    get("purge-open").disabled = !about.changes;
    get("purge-open").title = about.changes ? "" : "Nothing can be changed from here: open the gateway port itself";
  };
}
