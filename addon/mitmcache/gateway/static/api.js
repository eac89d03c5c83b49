// Asks the proxy. To change something takes the token, which comes in the link that `mitmcache dashboard` prints,
// behind the #, so that it is in no log; it is kept for this tab alone, and no other port of this machine gets it.

const HEADER = "x-mitmcache-token";
const KEPT = "mitmcache-token";

export class Failed extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  let reply;
  try {
    reply = await fetch(path, { cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(60000), ...options });
  } catch {
    throw new Failed(0, "The proxy does not answer.");
  }
  const document = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Failed(reply.status, document.error || `The proxy answers ${reply.status}.`);
  return document;
}

export const read = (path, parameters = {}) => {
  const query = new URLSearchParams(parameters).toString();
  return ask(`api/${path}${query ? `?${query}` : ""}`);
};

export const change = (path, fields) =>
  ask(`api/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", [HEADER]: sessionStorage.getItem(KEPT) || "" },
    body: JSON.stringify(fields),
  });

export const unlocked = () => Boolean(sessionStorage.getItem(KEPT));

/** Keeps the token if it is the right one. */
export async function unlock(token) {
  sessionStorage.setItem(KEPT, token);
  try {
    await change("session", {});
  } catch (error) {
    sessionStorage.removeItem(KEPT);
    throw error.status === 401 ? new Failed(401, "That is not this proxy's token.") : error;
  }
}

export const lock = () => sessionStorage.removeItem(KEPT);

/** What the link brought, which then leaves the address bar and the history. */
export function tokenFromLink() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) history.replaceState(null, "", location.pathname);
  return found;
}
