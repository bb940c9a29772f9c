// A message of the staff closes at once; the server remembers it until the browser is closed.
export function enableNotices() {
  for (const form of document.querySelectorAll("form[data-close-notice]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const notice = form.closest(".notice");
      await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
      notice.remove();
      document.getElementById("main")?.focus();
    });
  }
}
