// A secret on the screen goes away after a minute, or when the page is left for another tab.
const SHOWN_MS = 60000;

export function enableSecrets() {
  const secret = document.querySelector("[data-secret]");
  if (!secret) return;
  const hide = () => location.replace(secret.dataset.secret);
  setTimeout(hide, SHOWN_MS);
  let timer = null;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(hide, SHOWN_MS / 4);
  });
}
