// Menus are <details data-menu>; the side navigation is a drawer on narrow screens.

const itemsOf = (menu) => [...menu.querySelectorAll(".menu-panel a, .menu-panel button")];

export function enableMenus() {
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest?.("details[data-menu]");
    if (!menu) return;
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      menu.open = true;
      const items = itemsOf(menu);
      const step = event.key === "ArrowDown" ? 1 : -1;
      const at = items.indexOf(document.activeElement);
      items[(at + step + items.length) % items.length]?.focus();
    }
  });
  document.addEventListener("focusout", (event) => {
    const menu = event.target.closest?.("details[data-menu][open]");
    if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
}

export function enableDrawer() {
  const toggle = document.querySelector("[data-drawer]");
  const drawer = toggle && document.getElementById(toggle.dataset.drawer);
  if (!drawer) return;
  let shade = null;

  const close = () => {
    if (!drawer.classList.contains("is-open")) return;
    drawer.classList.remove("is-open");
    toggle.setAttribute("aria-expanded", "false");
    shade?.remove();
    toggle.focus();
  };
  const open = () => {
    drawer.classList.add("is-open");
    toggle.setAttribute("aria-expanded", "true");
    shade = document.createElement("div");
    shade.className = "drawer-shade";
    shade.addEventListener("click", close);
    document.body.append(shade);
    drawer.querySelector("[data-drawer-close]").focus();
  };

  toggle.addEventListener("click", open);
  drawer.querySelector("[data-drawer-close]").addEventListener("click", close);
  drawer.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  drawer.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !drawer.contains(event.relatedTarget)) close();
  });
}
