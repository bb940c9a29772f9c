// After a failed form the summary of errors has the focus; a form is sent once.
export function enableForms() {
  document.querySelector("[data-focus]")?.focus();
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method === "get") return;
    if (event.target.dataset.sent) {
      event.preventDefault();
      return;
    }
    // A download leaves the page where it is, so that form may be sent again.
    if (!event.target.hasAttribute("data-download")) event.target.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    for (const button of document.querySelectorAll('button[aria-busy="true"]')) button.removeAttribute("aria-busy");
  });
  for (const select of document.querySelectorAll("select[data-submit-on-change]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
}
