// The built-in captcha: a worker looks for the number while the visitor fills in the form.
// Browsers that can't calculate (no secure context) leave the field empty; then waiting is enough.
for (const box of document.querySelectorAll("[data-captcha-work]")) {
  const state = box.querySelector("[data-captcha-state]");
  const form = box.closest("form");
  if (!window.isSecureContext || !window.Worker) {
    box.querySelector("[data-captcha-wait]").hidden = false;
    continue;
  }
  let pending = false;
  const worker = new Worker(box.dataset.captchaWorker, { type: "module" });
  state.textContent = state.dataset.working;
  worker.addEventListener("message", ({ data }) => {
    box.querySelector("[name=captcha_solution]").value = data;
    state.textContent = state.dataset.done;
    worker.terminate();
    if (pending) form.requestSubmit();
  });
  worker.postMessage({ challenge: box.dataset.captchaWork, bits: Number(box.dataset.captchaBits) });
  form.addEventListener("submit", (event) => {
    if (box.querySelector("[name=captcha_solution]").value) return;
    event.preventDefault();
    pending = true;
  });
}
