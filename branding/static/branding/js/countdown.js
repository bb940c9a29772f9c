// <time data-countdown> says how long it is until then, and at that moment the page is read again.
const DAY_MS = 86400000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function textOf(left, format) {
  if (left >= 2 * DAY_MS) return format.format(Math.floor(left / DAY_MS), "day");
  if (left >= 7200000) return format.format(Math.floor(left / 3600000), "hour");
  if (left >= 120000) return format.format(Math.floor(left / 60000), "minute");
  return format.format(Math.max(0, Math.floor(left / 1000)), "second");
}

export function enableCountdowns() {
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "always" });
  for (const element of document.querySelectorAll("[data-countdown] time")) {
    const end = new Date(element.dateTime).getTime();
    if (Number.isNaN(end) || end <= Date.now()) continue;
    const show = () => {
      const left = end - Date.now();
      if (left <= 0) return location.reload();
      element.textContent = textOf(left, format);
      setTimeout(show, Math.min(left, left < 120000 ? 1000 : 30000, LONGEST_TIMER_MS));
    };
    show();
  }
}
