// How good a new password is, and whether an address has a slip of the pen in it. Both are hints: the server
// judges the password, and any address may be right.
const DOMAINS = [
  "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com", "yahoo.gr", "icloud.com",
  "proton.me", "protonmail.com", "gmx.net", "gmx.de", "web.de", "hotmail.gr", "otenet.gr",
];

function kinds(text) {
  return [/\p{Ll}/u, /\p{Lu}/u, /\p{N}/u, /[^\p{L}\p{N}]/u].filter((kind) => kind.test(text)).length;
}

function strength(password) {
  const different = new Set(password).size;
  if (password.length < 8 || different < 5) return "weak";
  if (password.length >= 16 || (password.length >= 12 && kinds(password) >= 3)) return "strong";
  return password.length >= 10 && kinds(password) >= 2 ? "fair" : "weak";
}

// Edits (one letter changed, added, left out, or two swapped) that lead from one word to the other.
function distance(from, to) {
  const rows = Array.from({ length: from.length + 1 }, (_, row) => [row, ...Array(to.length).fill(0)]);
  for (let column = 1; column <= to.length; column += 1) rows[0][column] = column;
  for (let row = 1; row <= from.length; row += 1) {
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1] ? 0 : 1;
      let best = Math.min(rows[row - 1][column] + 1, rows[row][column - 1] + 1, rows[row - 1][column - 1] + same);
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) best = Math.min(best, rows[row - 2][column - 2] + 1);
      rows[row][column] = best;
    }
  }
  return rows[from.length][to.length];
}

function meant(address) {
  const at = address.lastIndexOf("@");
  const domain = address.slice(at + 1).toLowerCase();
  if (at < 1 || domain.length > 40 || DOMAINS.includes(domain)) return "";
  const found = DOMAINS.find((known) => distance(domain, known) === 1);
  return found ? `${address.slice(0, at)}@${found}` : "";
}

for (const hint of document.querySelectorAll("[data-strength-of]")) {
  const field = document.getElementById(hint.dataset.strengthOf);
  field?.addEventListener("input", () => {
    const found = field.value && strength(field.value);
    const text = found ? hint.dataset[found] : "";
    if (hint.textContent !== text) hint.textContent = text;
  });
}

for (const hint of document.querySelectorAll("[data-meant-by]")) {
  const field = document.getElementById(hint.dataset.meantBy);
  const button = hint.querySelector("button");
  field?.addEventListener("change", () => {
    const address = meant(field.value.trim());
    button.textContent = address;
    hint.hidden = !address;
  });
  button?.addEventListener("click", () => {
    field.value = button.textContent;
    hint.hidden = true;
    field.focus();
  });
}
