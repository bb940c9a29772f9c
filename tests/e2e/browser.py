"""A real browser for tests of pages: how it starts, what is watched in a tab, and what axe finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.packages import why_missing

playwright_api = pytest.importorskip("playwright.sync_api")
axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")

#: The first of these is made for programs: it draws for no screen and takes a third of the processor's time.
CHROMIUMS = (Path("/usr/lib/chromium/chromium-headless-shell"), Path("/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
UI = "/astakos/ui/"
EMAIL, PASSWORD = "maria@example.org", "correct horse battery"
AXE = Path(axe_module.__file__).with_name("axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]


def chromium() -> Iterator[Any]:
    """Start one Chromium; a process can have one only, since Playwright's loop lives in its thread."""
    program = next((path for path in CHROMIUMS if path.exists()), None)
    if program is None:
        pytest.skip(why_missing("Chromium is not installed"))
    patch = pytest.MonkeyPatch()
    # Playwright's event loop lives in this thread from now on; the tests' own queries are not asynchronous.
    patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with playwright_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(program), args=ARGUMENTS)
        yield started
        started.close()
    patch.undo()


class Watched:
    """A tab whose errors, blocked sources and requests to strangers are collected."""

    def __init__(
        self, browser: Any, site: str, *, width: int = 1280, scheme: str = "light", locale: str = "en"
    ) -> None:
        self.site = site
        self.context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            locale=locale,
            reduced_motion="reduce",
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(120_000)
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._console)
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        expected = ("404 (Not Found)", "ERR_NETWORK_CHANGED")
        if message.type in ("error", "warning") and not any(text in message.text for text in expected):
            self.problems.append(message.text)

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.site, "data:")):
            self.problems.append(f"request to {request.url}")

    def open(self, name: str) -> Any:
        self.page.goto(f"{self.site}{UI}{name}")
        return self.page

    def sign_in(self) -> None:
        page = self.open("login")
        page.get_by_label("E-mail address", exact=True).or_(page.locator("#id_username")).first.fill(EMAIL)
        page.locator("#id_password").fill(PASSWORD)
        page.get_by_test_id("action-login").click()
        page.wait_for_url("**/ui/landing")

    def close(self) -> None:
        self.context.close()
        assert self.problems == [], self.problems


def violations(page: Any, run_only: dict[str, Any]) -> list[str]:
    """Return what axe finds in the page as it is now, one line for each element."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)
    # Stylesheets are preloaded for rules about media that starts by itself, which no page has.
    options = {"runOnly": run_only, "resultTypes": ["violations"], "preload": False}
    results = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{item['id']}: {node['target']} {node.get('failureSummary', '')[:200]}"
        for item in results["violations"]
        for node in item["nodes"]
    ]


#: Keeps the elements that are shown.
_REMEMBER = "window.shown = [...document.querySelectorAll('body *')].filter(e => e.getClientRects().length)"
#: What of them a narrow window hides, as far as it has text of its own.
_HIDDEN = """
() => [...new Set(window.shown
    .filter(e => !e.getClientRects().length && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()))
    .map(e => `${e.tagName}.${e.className}`))].sort().join()
"""
#: Kinds of elements that were judged in the dark wide look already; the navigation is the same on all pages.
_judged: set[str] = set()


def problems_in_all_looks(page: Any) -> list[str]:
    """Return what is wrong with the open page in both themes, wide and narrow.

    Everything is judged once, in the light wide look; colours again in the dark theme, what depends on sizes
    and places in a narrow window. The dark narrow look serves for both, unless it hides something new.
    """
    found = violations(page, {"type": "tag", "values": RULES})
    page.evaluate(_REMEMBER)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 320, "height": 740})
    found += violations(
        page, {"type": "rule", "values": [*COLOURS, "target-size", "scrollable-region-focusable"]}
    )
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if overflow > 0:
        found.append(f"{overflow} pixels too wide for a window of 320")
    hidden = page.evaluate(_HIDDEN)
    page.set_viewport_size({"width": 1280, "height": 800})
    if hidden and hidden not in _judged:
        found += violations(page, {"type": "rule", "values": COLOURS})
        _judged.add(hidden)
    page.emulate_media(color_scheme="light")
    return found
