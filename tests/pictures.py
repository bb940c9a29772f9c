"""Take the documentation's pictures from a running demo: ``python -m tests.pictures --data var/demo``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Page, sync_playwright

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
#: File name -> page below /astakos/ui/, theme, width.
_PICTURES = {
    "overview": ("landing", "light", 1280),
    "overview-dark": ("landing", "dark", 1280),
    "api-access": ("api_access", "light", 1280),
    "usage": ("resources", "light", 1280),
    "profile": ("profile", "light", 1280),
    "projects": ("projects", "light", 1280),
    "usage-narrow": ("resources", "light", 360),
}


def _sign_in(page: Page, base: str, credentials: dict[str, str]) -> None:
    page.goto(f"{base}/login")
    page.locator("#id_username").fill(credentials["email"])
    page.locator("#id_password").fill(credentials["password"])
    page.get_by_test_id("action-login").click()
    page.wait_for_url("**/ui/landing")


def _console_address(site: str, credentials: dict[str, str]) -> str:
    """Return the address of the console of the demo's first server, which is made if there is none."""
    token = {"X-Auth-Token": credentials["token"]}
    with httpx.Client(base_url=f"{site}/cyclades/compute/v2.0", headers=token, timeout=60) as client:
        if not client.get("/servers").json()["servers"]:
            flavor, image = (client.get(f"/{kind}").json()[kind][0]["id"] for kind in ("flavors", "images"))
            body = {"name": "My first server", "flavorRef": flavor, "imageRef": image}
            client.post("/servers", json={"server": body}).raise_for_status()
        server = client.get("/servers").json()["servers"][0]["id"]
        while client.get(f"/servers/{server}").json()["server"]["status"] == "BUILD":
            time.sleep(1)
        action = {"os-getVNCConsole": {"type": "novnc"}}
        answer = client.post(f"/servers/{server}/action", json=action).raise_for_status()
    url: str = answer.json()["console"]["url"]
    return url


def _take_shell(page: Page, base: str, target: Path) -> None:
    """Write the pictures of the search and of what the bell opens, which know of the console's server."""
    page.goto(f"{base}/landing")
    page.keyboard.press("Control+k")
    page.keyboard.type("first")
    page.get_by_role("option").first.wait_for()
    page.screenshot(path=str(target / "search.png"))
    page.keyboard.press("Escape")
    page.get_by_test_id("nav-notifications").click()
    page.get_by_test_id("note").first.wait_for()
    page.screenshot(path=str(target / "notifications.png"))


def take(data: Path, target: Path) -> None:
    """Write all pictures of the demo that keeps its data in *data* into *target*."""
    credentials = json.loads((data / "credentials.json").read_text())
    parts = urlsplit(credentials["auth_url"])
    base = f"{parts.scheme}://{parts.netloc}/astakos/ui"
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(120_000)
        page.goto(f"{base}/login")
        page.screenshot(path=str(target / "login.png"))
        _sign_in(page, base, credentials)
        for name, (address, theme, width) in _PICTURES.items():
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.goto(f"{base}/{address}")
            page.screenshot(path=str(target / f"{name}.png"))
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(_console_address(f"{parts.scheme}://{parts.netloc}", credentials))
        page.get_by_test_id("console-state").get_by_text("Connected").wait_for()
        page.keyboard.type("hello")
        page.wait_for_timeout(1000)  # until the screen shows it
        page.screenshot(path=str(target / "console.png"))
        _take_shell(page, base, target)
        browser.close()


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="var/demo", type=Path, help="the demo's data directory")
    parser.add_argument("--target", default="docs/pictures", type=Path, help="where the pictures go")
    options = parser.parse_args()
    take(options.data, options.target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
