// Makes elements. Text is always text: names of models and clients are whatever somebody has sent.

export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") made.className = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const get = (id) => document.getElementById(id);

/** Replaces text only where it is another, so that nothing flickers and a selection stays. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function table(target, columns, rows) {
  const head = el("thead", {}, el("tr", {}, ...columns.map((column) => el("th", { scope: "col", class: column.class }, column.name))));
  target.replaceChildren(head, el("tbody", {}, ...rows));
}

export const meter = (share, kind = "") => {
  const bar = el("i");
  bar.style.width = `${Math.round(Math.max(0, Math.min(1, share)) * 100)}%`;
  return el("span", { class: `meter ${kind}`, "aria-hidden": "true" }, bar);
};

/** Closes by Esc and by the buttons marked so; a click beside the dialog closes it too. */
export function closable(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
}
