// The bar that other sites of this cloud show on top of their pages. They may set, before loading this:
// CLOUDBAR_SERVICES_URL, CLOUDBAR_MENU_URL, CLOUDBAR_ACTIVE_SERVICE, CLOUDBAR_HEIGHT,
// CLOUDBAR_BACKGROUND_COLOR. Where these are missing, the account service this script comes from is asked.
(() => {
  "use strict";
  const own = document.currentScript ? new URL(document.currentScript.src).origin : location.origin;
  const settings = {
    services: window.CLOUDBAR_SERVICES_URL || `${own}/astakos/ui/get_services`,
    menu: window.CLOUDBAR_MENU_URL || `${own}/astakos/ui/get_menu`,
    active: window.CLOUDBAR_ACTIVE_SERVICE || "",
    height: Number(window.CLOUDBAR_HEIGHT) || 35,
    background: window.CLOUDBAR_BACKGROUND_COLOR || "#000000",
  };

  const fetchList = async (address) => {
    const url = new URL(address, location.href);
    url.searchParams.set("location", location.href);
    const response = await fetch(url, { credentials: "include", headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    return response.json();
  };

  const isHttp = (address) => /^https?:\/\//.test(new URL(address, location.href).href);

  const link = (address, text, active) => {
    const anchor = document.createElement("a");
    anchor.textContent = text;
    if (isHttp(address)) anchor.href = address;
    Object.assign(anchor.style, { color: "#ffffff", padding: "0 0.75rem", textDecoration: active ? "underline" : "none" });
    if (active) anchor.setAttribute("aria-current", "true");
    return anchor;
  };

  const build = (services, menu) => {
    const bar = document.createElement("nav");
    bar.className = "cloudbar";
    bar.setAttribute("aria-label", "Cloud services");
    Object.assign(bar.style, {
      display: "flex", flexWrap: "wrap", alignItems: "center", minHeight: `${settings.height}px`,
      background: settings.background, font: "14px/1.5 system-ui, sans-serif",
    });
    for (const service of services) {
      if (!service.cloudbar || service.cloudbar.show === false) continue;
      const active = service.name === settings.active || location.href.startsWith(service.url);
      bar.append(link(service.url, service.cloudbar.title || service.verbose_name || service.name, active));
    }
    const account = document.createElement("span");
    account.style.marginInlineStart = "auto";
    for (const item of menu) account.append(link(item.url, item.name, item.is_active === true));
    bar.append(account);
    document.body.prepend(bar);
  };

  const start = async () => {
    const [services, menu] = await Promise.allSettled([fetchList(settings.services), fetchList(settings.menu)]);
    build(services.value || [], menu.value || []);
  };
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
})();
