// Elements with data-live="<address>" are fetched again every data-interval milliseconds while visible.
// Their answer replaces the content, of a table row by row; focus inside is kept, and two failures in a row show a notice.
import { patchRows } from "./rows.js";

const BACKOFF_MAX_MS = 60000;
const TIMEOUT_MS = 10000;

class LivePart {
  constructor(element) {
    this.element = element;
    this.interval = Number(element.dataset.interval) || 5000;
    this.failures = 0;
    this.timer = null;
    this.last = null;
    this.schedule("liveFirst" in element.dataset ? 0 : this.interval);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) clearTimeout(this.timer);
      else this.refresh();
    });
    // With data-topics a part is read again as soon as the server tells of a change.
    if (element.dataset.topics) document.addEventListener("shell:changes", () => this.schedule(0));
  }

  schedule(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), delay);
  }

  async refresh() {
    if (document.hidden || this.stopped) return;
    try {
      const response = await fetch(this.element.dataset.live, {
        headers: { "HX-Request": "true", Accept: "text/html" },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.status === 401) return this.sessionEnded();
      if (!response.ok) throw new Error(String(response.status));
      this.show(await response.text());
      this.failures = 0;
      this.notice(false);
    } catch {
      this.failures += 1;
      if (this.failures >= 2) this.notice(true);
    }
    this.schedule(Math.min(this.interval * 2 ** this.failures, BACKOFF_MAX_MS));
  }

  show(html) {
    // Each answer hides the token of its forms in its own way; that is no change.
    const shape = html.replace(/name="csrfmiddlewaretoken" value="[^"]*"/g, "");
    if (shape === this.last) return;
    // The server's own fragment, made of escaped values; nothing a user wrote is markup in it.
    const parsed = new DOMParser().parseFromString(html, "text/html");
    const done = patchRows(this.element, parsed.body);
    if (done) {
      // What still waits is done with the next answer, though it be the same.
      this.last = done === "all" ? shape : null;
      return;
    }
    if (this.element.contains(document.activeElement) && document.activeElement !== this.element) return;
    this.last = shape;
    this.element.replaceChildren(...parsed.body.childNodes);
  }

  notice(visible) {
    const notice = document.querySelector("[data-live-notice]");
    if (notice) notice.hidden = !visible;
  }

  sessionEnded() {
    this.stopped = true;
    const dialog = document.querySelector("dialog[data-session-ended]");
    if (dialog && !dialog.open) dialog.showModal();
  }
}

export function enableLiveParts() {
  for (const element of document.querySelectorAll("[data-live]")) new LivePart(element);
}
