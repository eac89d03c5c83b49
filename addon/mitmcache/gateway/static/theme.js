// Light, dark, or as the system has it.

const KEPT = "mitmcache-theme";
const SHOWN = { system: ["◐", "as the system"], light: ["☀", "light"], dark: ["☾", "dark"] };
const NEXT = { system: "light", light: "dark", dark: "system" };

export function theme(button, changed) {
  const show = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    const [sign, words] = SHOWN[name];
    button.textContent = sign;
    button.title = `Colours: ${words}`;
    button.setAttribute("aria-label", button.title);
  };
  let current = localStorage.getItem(KEPT);
  if (!(current in SHOWN)) current = "system";
  show(current);
  button.addEventListener("click", () => {
    current = NEXT[current];
    localStorage.setItem(KEPT, current);
    show(current);
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}
