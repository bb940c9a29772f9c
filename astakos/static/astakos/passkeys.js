// Forms marked with data-passkey ask the browser for a passkey before they are sent.

const decode = (text) => {
  const base64 = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
};

const encode = (buffer) => {
  let binary = "";
  for (const byte of new Uint8Array(buffer)) binary += String.fromCharCode(byte);
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

const withBytes = (list) => (list || []).map((item) => ({ ...item, id: decode(item.id) }));

const readable = (options) => ({
  ...options,
  challenge: decode(options.challenge),
  ...(options.user ? { user: { ...options.user, id: decode(options.user.id) } } : {}),
  ...(options.excludeCredentials ? { excludeCredentials: withBytes(options.excludeCredentials) } : {}),
  ...(options.allowCredentials ? { allowCredentials: withBytes(options.allowCredentials) } : {}),
});

const sendable = (credential) => {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = encode(credential.response[name]);
  }
  return JSON.stringify({
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
};

const enable = (form) => {
  const options = JSON.parse(form.dataset.options);
  const status = form.querySelector("[data-passkey-status]");
  form.querySelector("button[type=submit]").hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    status.textContent = "";
    try {
      const publicKey = readable(options);
      const credential = await navigator.credentials[form.dataset.passkey]({ publicKey });
      form.elements.answer.value = sendable(credential);
      form.submit();
    } catch {
      status.textContent = status.dataset.failed;
    }
  });
};

if (window.PublicKeyCredential) document.querySelectorAll("form[data-passkey]").forEach(enable);
