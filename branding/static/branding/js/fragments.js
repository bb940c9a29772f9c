// Parts of pages that the server renders for the scripts of an open page.
const TIMEOUT_MS = 10000;

export class SessionEnded extends Error {}

export async function ask(address, { headers = {}, ...options } = {}) {
  const response = await fetch(address, {
    ...options,
    headers: { "HX-Request": "true", Accept: "text/html", ...headers },
    signal: options.signal ?? AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.status === 401) {
    const dialog = document.querySelector("dialog[data-session-ended]");
    for (const open of document.querySelectorAll("dialog[open]")) if (open !== dialog) open.close();
    if (dialog && !dialog.open) dialog.showModal();
    throw new SessionEnded();
  }
  return response;
}

// The server's own fragment, made of escaped values; nothing a user wrote is markup in it.
export async function nodesOf(response) {
  if (!response.ok) throw new Error(String(response.status));
  const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
  return [...parsed.body.childNodes];
}
