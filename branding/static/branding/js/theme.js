// The theme changes at once; the server remembers it, so that the next page is right from its first byte.
export function enableThemeChoice() {
  for (const form of document.querySelectorAll("form[data-theme-choice]")) {
    form.addEventListener("submit", async (event) => {
      const theme = event.submitter?.value;
      if (!theme) return;
      event.preventDefault();
      document.documentElement.dataset.theme = theme;
      for (const button of document.querySelectorAll('form[data-theme-choice] button[name="theme"]')) {
        button.setAttribute("aria-pressed", String(button.value === theme));
      }
      const body = new FormData(form);
      body.set("theme", theme);
      await fetch(form.action, { method: "POST", body, redirect: "manual" });
    });
  }
}
