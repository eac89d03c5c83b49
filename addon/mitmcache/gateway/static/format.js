// Numbers as people read them. What is not known is a dash, which is not zero.

export const NONE = "–";
const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const known = (value) => value !== null && value !== undefined;

export const count = (value) => (known(value) ? whole.format(value) : NONE);
export const short = (value) => (known(value) ? (value < 10000 ? whole.format(value) : compact.format(value)) : NONE);
export const percent = (part, all) => (all ? `${Math.round((part / all) * 100)}%` : NONE);

export function money(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  if (size === 0) return "$0";
  const digits = size >= 1000 ? 0 : size >= 0.01 ? 2 : Math.min(12, 1 - Math.floor(Math.log10(size)));
  const text = size.toLocaleString("en", { minimumFractionDigits: Math.min(digits, 2), maximumFractionDigits: digits });
  return `${value < 0 ? "-" : ""}$${text}`;
}

export function span(seconds) {
  if (!known(seconds)) return NONE;
  if (seconds < 0.00095) return "< 1 ms";
  if (seconds < 0.995) return `${(seconds * 1000).toFixed(seconds < 0.00995 ? 1 : 0)} ms`;
  return seconds < 99.5 ? `${seconds.toFixed(seconds < 9.95 ? 2 : 1)} s` : `${Math.round(seconds / 60)} min`;
}

export function bytes(value) {
  if (!known(value)) return NONE;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return `${value < 10 && unit !== "B" ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

export function age(seconds) {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${Math.max(0, Math.floor(seconds))} s`;
}

const two = (value) => String(value).padStart(2, "0");

export function clock(at, withDay = false, withSeconds = true) {
  const time = new Date(at * 1000);
  const day = withDay ? `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ` : "";
  return `${day}${two(time.getHours())}:${two(time.getMinutes())}${withSeconds ? `:${two(time.getSeconds())}` : ""}`;
}

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
