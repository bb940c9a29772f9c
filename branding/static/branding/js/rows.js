// Brings a table up to date row by row: what did not change keeps its focus, selection and open menus.
const FADE_MS = 1500;

// Each answer hides the tokens of its forms in its own way; that is no change. Nor is a ticked box.
const shapeOf = (row) => row.outerHTML.replace(/name="csrfmiddlewaretoken" value="[^"]*"/g, "");

function shapes(holder) {
  holder.shapes ??= new WeakMap();
  return holder.shapes;
}

function replaceRow(old, fresh) {
  const box = old.querySelector("input[type=checkbox][value]:checked");
  const again = box && fresh.querySelector("input[type=checkbox][value]");
  if (again) again.checked = true;
  old.replaceWith(fresh);
}

function removeRow(row) {
  row.querySelector("input[type=checkbox]")?.remove();
  row.classList.add("is-gone");
  row.removeAttribute("id");
  setTimeout(() => row.remove(), FADE_MS);
}

const headOf = (part) => part.querySelector("thead")?.textContent;

// How long the list is, and the ways to its other pages.
function patchAround(holder, answer) {
  for (const part of [".list-count", ".pagination"]) {
    const old = holder.querySelector(part);
    const fresh = answer.querySelector(part);
    if (old && fresh && !old.contains(document.activeElement)) old.replaceWith(fresh);
  }
}

// Returns "all" when every row is up to date, "some" when the row with the focus has to wait, and "" when
// this could not be done: a list that became empty, or was, is replaced as a whole.
export function patchRows(holder, answer) {
  const body = holder.querySelector("tbody");
  const wanted = answer.querySelector("tbody");
  if (!body || !wanted || ![...wanted.rows].every((row) => row.id)) return "";
  if (headOf(holder) !== headOf(answer)) return "";
  const known = shapes(holder);
  const stay = new Set([...wanted.rows].map((row) => row.id));
  let before = null;
  let done = "all";
  for (const fresh of [...wanted.rows]) {
    const shape = shapeOf(fresh);
    const old = document.getElementById(fresh.id);
    let row = old;
    if (!old || !body.contains(old)) {
      row = fresh;
      if (before) before.after(row);
      else body.prepend(row);
    } else if ((known.get(old) ?? shapeOf(old)) !== shape) {
      if (old.contains(document.activeElement)) {
        done = "some";
        before = old;
        continue;
      }
      row = fresh;
      replaceRow(old, fresh);
    }
    known.set(row, shape);
    before = row;
  }
  for (const row of [...body.rows]) {
    if (row.id && !stay.has(row.id)) removeRow(row);
  }
  patchAround(holder, answer);
  body.dispatchEvent(new CustomEvent("rows-changed", { bubbles: true }));
  return done;
}
