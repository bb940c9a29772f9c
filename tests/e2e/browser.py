"""A real browser for tests of pages: how it starts, what is watched in a tab, and what axe finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.lab.packages import why_missing
from tests.lazily import Lazily

playwright_api = Lazily("playwright.sync_api")
axe = Lazily("axe_playwright_python.base")

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
    # Whatever is asked of strangers fails, and that is heard of; to hear of all requests costs more.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
UI = "/astakos/ui/"
EMAIL, PASSWORD = "maria@example.org", "correct horse battery"
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


def _patient(goto: Callable[..., Any]) -> Callable[..., Any]:
    """Let a tab go to a page again when another test changed the interfaces of the machine meanwhile."""

    def go(*arguments: Any, **options: Any) -> Any:
        for _ in range(5):
            try:
                return goto(*arguments, **options)
            except playwright_api.Error as error:
                if "ERR_NETWORK_CHANGED" not in str(error):
                    raise
        return goto(*arguments, **options)

    return go


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
        self.page.goto = _patient(self.page.goto)
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._console)
        self.page.on("requestfailed", self._failed)

    def _console(self, message: Any) -> None:
        expected = ("404 (Not Found)", "ERR_NETWORK_CHANGED")
        if message.type in ("error", "warning") and not any(text in message.text for text in expected):
            self.problems.append(message.text)

    def _failed(self, request: Any) -> None:
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

    def bring_session(self, email: str = EMAIL, password: str = PASSWORD) -> None:
        """Sign in without the form in the browser, for tests of what comes after that."""
        client = Client()
        answer = client.post(f"{UI}local", {"username": email, "password": password})
        assert answer.status_code == 303, answer.content
        self.context.add_cookies(
            [{"name": c.key, "value": c.coded_value, "url": self.site} for c in client.cookies.values()]
        )

    def close(self) -> None:
        self.context.close()
        assert self.problems == [], self.problems


#: Judges the page and says what is wrong in a line for each element; to hand out axe's whole report takes
#: longer than many a rule. Stylesheets are preloaded for rules about media that starts by itself, which no
#: page has.
_JUDGE = """async runOnly => {
  if (typeof axe == "undefined") return null;
  const report = await axe.run(document, { runOnly, resultTypes: ["violations"], preload: false });
  return report.violations.flatMap(({ id, nodes }) =>
    nodes.map(node => `${id}: ${node.target} ${(node.failureSummary ?? "").slice(0, 200)}`));
}"""


def violations(page: Any, run_only: dict[str, Any]) -> list[str]:
    """Return what axe finds in the page as it is now, one line for each element."""
    found = page.evaluate(_JUDGE, run_only)
    if found is None:
        # The pages that follow begin with it, which is cheaper than to bring it to each of them.
        page.add_init_script(axe.AXE_SCRIPT)
        page.evaluate(axe.AXE_SCRIPT)
        found = page.evaluate(_JUDGE, run_only)
    return list(found)


_WIDE, _NARROW = {"width": 1280, "height": 800}, {"width": 320, "height": 740}
#: Keeps the elements that are shown in a window of this width; returns by how much they are too wide for it.
_REMEMBER = """width => {
  window.shown ??= {};
  const shown = [...document.querySelectorAll("body *")].filter(e => e.getClientRects().length);
  window.shown[width] = new Set(shown);
  return document.documentElement.scrollWidth - window.innerWidth;
}"""
#: What a narrow window hides, as far as it has text of its own.
_HIDDEN = """([wide, narrow]) => [...new Set([...window.shown[wide]]
    .filter(e => !window.shown[narrow].has(e))
    .filter(e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()))
    .map(e => `${e.tagName}.${e.className}`))].sort().join()
"""
#: Kinds of elements that were judged in the dark wide look already; the navigation is the same on all pages.
_judged: set[str] = set()


def light_and_wide(page: Any) -> None:
    """Give the page the look that it has at first."""
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(_WIDE)


def problems_in_all_looks(page: Any) -> list[str]:
    """Return what is wrong with the open page in both themes, wide and narrow.

    Everything is judged once, in the light wide look; colours again in the dark theme, what depends on sizes
    and places in a narrow window. The dark narrow look serves for both, unless it hides something new.
    The page keeps the look that came last, and the next one begins with it: each change lays out all anew.
    """
    if page.viewport_size["width"] == _NARROW["width"]:
        found = _dark_and_narrow(page)
        light_and_wide(page)
        found += _all_of(page)
    else:
        found = _all_of(page)
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size(_NARROW)
        found += _dark_and_narrow(page)
    hidden = page.evaluate(_HIDDEN, [_WIDE["width"], _NARROW["width"]])
    if hidden and hidden not in _judged:
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size(_WIDE)
        found += violations(page, {"type": "rule", "values": COLOURS})
        page.emulate_media(color_scheme="light")
        _judged.add(hidden)
    return found


def _all_of(page: Any) -> list[str]:
    page.evaluate(_REMEMBER, _WIDE["width"])
    return violations(page, {"type": "tag", "values": RULES})


def _dark_and_narrow(page: Any) -> list[str]:
    overflow = page.evaluate(_REMEMBER, _NARROW["width"])
    found = [f"{overflow} pixels too wide for a window of 320"] if overflow > 0 else []
    rules = [*COLOURS, "target-size", "scrollable-region-focusable"]
    return found + violations(page, {"type": "rule", "values": rules})
