// reCAPTCHA v3 has no box: its answer is fetched when the form is sent, and put into a hidden field.
for (const box of document.querySelectorAll("[data-captcha-v3]")) {
  const form = box.closest("form");
  form.addEventListener("submit", (event) => {
    if (box.value || !window.grecaptcha) return;
    event.preventDefault();
    window.grecaptcha.ready(async () => {
      box.value = await window.grecaptcha.execute(box.dataset.captchaV3, { action: "submit" });
      form.requestSubmit();
    });
  });
}
