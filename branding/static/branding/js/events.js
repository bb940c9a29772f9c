// Asks what has changed, more rarely while nothing does, not at all while the page is hidden.
// Parts of the page hear of it by the events shell:state (counts) and shell:changes (kinds of objects).
import { ask, SessionEnded } from "./fragments.js";

const QUIET_CALLS = 4;
const LONGEST_PAUSE_MS = 60000;
const MOST_KNOWN = 1000;

class Events {
  constructor(bell) {
    const { events, interval, increase, fast, longest } = bell.dataset;
    Object.assign(this, { address: events, usual: Number(interval), increase: Number(increase) });
    Object.assign(this, { fast: Number(fast), longest: Number(longest) });
    this.topics = new Set();
    for (const part of document.querySelectorAll("[data-topics]")) {
      for (const topic of part.dataset.topics.split(/[\s,]+/)) if (topic) this.topics.add(topic);
    }
    Object.assign(this, { cursor: "", etag: "", quiet: 0, failures: 0, wanted: 0, tasks: 0, known: new Set(), timer: null });
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(this.timer) : this.now()));
    document.addEventListener("shell:ask", () => this.now());
    addEventListener("online", () => this.now());
    this.lost = document.querySelector("[data-connection-lost]");
    this.lost?.querySelector("[data-lost-now]").addEventListener("click", () => this.now());
    this.now();
  }

  now() {
    clearTimeout(this.timer);
    if (this.asking || this.stopped || document.hidden) return;
    this.asking = this.ask().finally(() => {
      this.asking = null;
      if (!this.stopped) this.timer = setTimeout(() => this.now(), this.pause());
    });
  }

  pause() {
    if (this.failures) return Math.max(this.wanted, Math.min(this.usual * 2 ** this.failures, LONGEST_PAUSE_MS));
    if (this.tasks) return this.fast;
    return Math.min(this.usual + this.increase * Math.floor(this.quiet / QUIET_CALLS), this.longest);
  }

  async ask() {
    const query = new URLSearchParams({ topics: [...this.topics].join(","), since: this.cursor });
    const headers = { Accept: "application/json", ...(this.etag ? { "If-None-Match": this.etag } : {}) };
    try {
      const response = await ask(`${this.address}?${query}`, { headers });
      this.wanted = 1000 * Number(response.headers.get("Retry-After")) || 0;
      if (response.status !== 304 && !response.ok) throw new Error(String(response.status));
      this.cursor = response.headers.get("X-Events-Cursor") ?? this.cursor;
      this.etag = response.headers.get("ETag") ?? "";
      this.failures = 0;
      this.lastAnswer = new Date();
      if (response.status === 304) this.quiet += 1;
      else this.tell(await response.json());
    } catch (error) {
      if (error instanceof SessionEnded) this.stopped = true;
      else this.failures += 1;
    }
    this.showLost();
  }

  tell({ unread, tasks, reset, changes }) {
    this.tasks = tasks;
    document.dispatchEvent(new CustomEvent("shell:state", { detail: { unread, tasks } }));
    const key = (change) => `${change.kind} ${change.id} ${change.updated}`;
    const news = changes.filter((change) => !this.known.has(key(change)));
    if (this.known.size > MOST_KNOWN) this.known.clear();
    for (const change of changes) this.known.add(key(change));
    this.quiet = news.length || reset ? 0 : this.quiet + 1;
    if (!news.length && !reset) return;
    document.dispatchEvent(new CustomEvent("shell:changes", { detail: { changes: news, reset } }));
  }

  showLost() {
    if (!this.lost) return;
    this.lost.hidden = this.failures < 2;
    if (this.lost.hidden) return;
    const since = this.lost.querySelector("time");
    if (this.lastAnswer) {
      since.dateTime = this.lastAnswer.toISOString();
      since.textContent = this.lastAnswer.toLocaleTimeString(document.documentElement.lang);
    }
    const retry = this.lost.querySelector("[data-lost-retry]");
    retry.textContent = retry.dataset.text.replace("{seconds}", String(Math.round(this.pause() / 1000)));
  }
}

export function enableEvents() {
  const bell = document.querySelector("[data-bell]");
  if (bell?.dataset.events) new Events(bell);
}
