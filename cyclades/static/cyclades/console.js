// A server's screen. The password comes in the address's fragment (or, from older programs, its query),
// is taken out of the address before anything is loaded from elsewhere, and opens the console once.
import RFB from "./novnc/core/rfb.js";

const CONNECT_SECONDS = 10;
const KEYS = { Control: [0xffe3, "ControlLeft"], Alt: [0xffe9, "AltLeft"], Tab: [0xff09, "Tab"], Escape: [0xff1b, "Escape"] };
const SHIFT = [0xffe1, "ShiftLeft"];
// What needs Shift on the keyboard that hypervisors assume.
const SHIFTED = /[A-Z~!@#$%^&*()_+{}|:"<>?]/;
const part = (id) => document.getElementById(id);
const screen = part("screen");
let rfb = null;

function takeSecrets() {
  const query = new URLSearchParams(location.search);
  const fragment = new URLSearchParams(location.hash.slice(1));
  const secrets = {
    password: fragment.get("password") ?? query.get("password") ?? "",
    path: fragment.get("path") ?? "/websockify",
  };
  query.delete("password");
  query.delete("signature");
  history.replaceState(null, "", `${location.pathname}?${query}`);
  return secrets;
}

function tell(state) {
  const text = document.querySelector(`[data-text="${state}"]`).textContent;
  const connected = state === "connected";
  part("state").textContent = connected || state === "connecting" ? text : "";
  part("state").dataset.state = state;
  part("note-text").textContent = connected || state === "connecting" ? "" : text;
  part("note").hidden = connected;
  part("tools").hidden = !connected;
  part("hint").hidden = !connected;
  screen.hidden = !connected && state !== "connecting";
}

function connect(secrets) {
  part("ask").hidden = true;
  part("connect").hidden = true;
  tell("connecting");
  let end = "unreachable";
  try {
    rfb = new RFB(screen, screen.dataset.origin + secrets.path, {
      credentials: { password: secrets.password },
      wsProtocols: ["binary"],
    });
  } catch {
    tell("unreachable");
    return;
  }
  const current = rfb;
  rfb.scaleViewport = true;
  rfb.background = "#000";
  const timer = setTimeout(() => current.disconnect(), CONNECT_SECONDS * 1000);
  rfb.addEventListener("connect", () => {
    clearTimeout(timer);
    end = "ended";
    tell("connected");
    current.focus();
  });
  rfb.addEventListener("securityfailure", () => { end = "refused"; });
  rfb.addEventListener("credentialsrequired", () => { end = "refused"; current.disconnect(); });
  rfb.addEventListener("disconnect", () => {
    clearTimeout(timer);
    rfb = null;
    tell(end);
  });
}

function release(button) {
  if (button.getAttribute("aria-pressed") === "true") {
    button.setAttribute("aria-pressed", "false");
    rfb?.sendKey(...KEYS[button.dataset.hold], false);
  }
}

function hold(button) {
  if (button.getAttribute("aria-pressed") === "true") {
    release(button);
  } else {
    button.setAttribute("aria-pressed", "true");
    rfb.sendKey(...KEYS[button.dataset.hold], true);
  }
}

function type(text) {
  for (const letter of text.replaceAll("\r\n", "\n")) {
    const code = letter.codePointAt(0);
    const symbol = { 10: 0xff0d, 9: 0xff09 }[code] ?? (code < 0x100 ? code : 0x1000000 + code);
    // Hypervisors press keys, they do not write letters: capitals need Shift.
    const shifted = SHIFTED.test(letter);
    if (shifted) rfb?.sendKey(...SHIFT, true);
    rfb?.sendKey(symbol, null);
    if (shifted) rfb?.sendKey(...SHIFT, false);
  }
}

async function savePicture() {
  const address = URL.createObjectURL(await new Promise((done) => rfb.toBlob(done, "image/png")));
  const link = document.createElement("a");
  link.href = address;
  link.download = "console.png";
  link.click();
  URL.revokeObjectURL(address);
}

function toggle(button, property) {
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  rfb[property] = on;
}

const DEEDS = {
  "ctrl-alt-del": () => rfb.sendCtrlAltDel(),
  paste: () => part("paste").showModal(),
  fit: (button) => toggle(button, "scaleViewport"),
  look: (button) => toggle(button, "viewOnly"),
  picture: () => savePicture(),
  full: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()),
  leave: () => rfb.disconnect(),
};

part("tools").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || !rfb) return;
  if (button.dataset.do) DEEDS[button.dataset.do](button);
  if (button.dataset.hold) hold(button);
  if (button.dataset.press) {
    rfb.sendKey(...KEYS[button.dataset.press]);
    document.querySelectorAll("[data-hold]").forEach(release);
  }
  if (["ctrl-alt-del", "fit", "full"].includes(button.dataset.do) || button.dataset.hold || button.dataset.press) rfb?.focus();
});

part("paste").addEventListener("close", () => {
  if (part("paste").returnValue === "send") type(part("paste-text").value);
  part("paste-text").value = "";
  rfb?.focus();
});

// The way out for those who have no mouse: the screen takes all other keys.
document.addEventListener("keydown", (event) => {
  if (event.key === "Tab" && event.ctrlKey && event.altKey && event.shiftKey) {
    event.preventDefault();
    event.stopImmediatePropagation();
    part("tools").querySelector("button").focus();
  }
}, true);
// A held key is let go after the next one, as keys for the other hand are on real keyboards.
screen.addEventListener("keyup", () => document.querySelectorAll("[data-hold]").forEach(release));

const secrets = takeSecrets();
if (!screen.dataset.origin || !secrets.password || !secrets.path.startsWith("/")) {
  tell("nothing");
} else if (typeof WebSocket === "undefined") {
  tell("old");
} else if ("signed" in screen.dataset) {
  connect(secrets);
} else {
  part("ask").hidden = false;
  part("connect").hidden = false;
  part("connect").addEventListener("click", () => connect(secrets));
}
