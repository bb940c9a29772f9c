"""The account's pages in a real browser: accessible, narrow and wide, light and dark, by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from astakos import public
from tests.lab.packages import why_missing

playwright_api = pytest.importorskip("playwright.sync_api")
axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("browser"),
]

CHROMIUM = Path("/usr/bin/chromium")
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
VISITOR_PAGES = ("login", "nowhere")
MEMBER_PAGES = ("landing", "profile", "api_access", "resources", "confirm", "logout")
EMAIL, PASSWORD = "maria@example.org", "correct horse battery"
AXE = Path(axe_module.__file__).with_name("axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests; it takes half a second to start."""
    if not CHROMIUM.exists():
        pytest.skip(why_missing("Chromium is not installed"))
    patch = pytest.MonkeyPatch()
    # Playwright's event loop lives in this thread from now on; the tests' own queries are not asynchronous.
    patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield chromium
        chromium.close()
    patch.undo()


@pytest.fixture
def site(browser: Any, live_server: Any) -> str:
    """The address of a site with one user and one service."""
    cache.clear()
    definition = public.ServiceDefinition(
        name="demo_compute",
        type="compute",
        prefix="compute",
        endpoints=({"versionId": "v2.0"},),
        resources=(public.ResourceDefinition("demo.vm", "Servers"),),
    )
    public.register_component(
        name="demo",
        base_url=f"{live_server.url}/demo",
        ui_url="https://demo.example/ui",
        services=[definition],
    )
    public.create_user(email=EMAIL, password=PASSWORD, first_name="Maria", last_name="Doe")
    return live_server.url


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
        self.page.set_default_timeout(30_000)
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
        assert self.problems == []


def violations(page: Any, run_only: dict[str, Any]) -> list[str]:
    """Return what axe finds in the page as it is now, one line for each element."""
    results = page.evaluate(
        "options => axe.run(document, options)", {"runOnly": run_only, "resultTypes": ["violations"]}
    )
    return [
        f"{item['id']}: {node['target']} {node.get('failureSummary', '')[:200]}"
        for item in results["violations"]
        for node in item["nodes"]
    ]


def problems_in_all_looks(page: Any) -> list[str]:
    """Return what is wrong with the open page in both themes, wide and narrow.

    Everything is judged once; the other looks differ only in colours, sizes and places.
    """
    page.evaluate(AXE)
    found = violations(page, {"type": "tag", "values": RULES})
    page.emulate_media(color_scheme="dark")
    found += violations(page, {"type": "rule", "values": ["color-contrast", "link-in-text-block"]})
    page.set_viewport_size({"width": 320, "height": 740})
    found += violations(
        page, {"type": "rule", "values": ["color-contrast", "target-size", "scrollable-region-focusable"]}
    )
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if overflow > 0:
        found.append(f"{overflow} pixels too wide for a window of 320")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 800})
    return found


def test_all_pages_are_accessible(browser: Any, site: str) -> None:
    tab = Watched(browser, site)
    found = {name: problems_in_all_looks(tab.open(name)) for name in VISITOR_PAGES}
    tab.sign_in()
    found |= {name: problems_in_all_looks(tab.open(name)) for name in MEMBER_PAGES}
    tab.close()
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_by_keyboard_alone_to_the_token(browser: Any, site: str) -> None:
    tab = Watched(browser, site)
    page = tab.open("login")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip-link"
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "id_username":
            break
    page.keyboard.type(EMAIL)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/landing")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "API access":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/api_access")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.testid") == "action-reveal":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    page.keyboard.press("Enter")
    page.wait_for_url("**reveal=1")
    assert page.get_by_test_id("copy-token").is_visible()
    tab.close()


def test_menus_dialogs_and_themes_work_by_keyboard(browser: Any, site: str) -> None:
    tab = Watched(browser, site)
    tab.sign_in()
    page = tab.open("api_access")
    menu = page.get_by_test_id("nav-user")
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Profile"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.testid") == "nav-user"
    page.get_by_test_id("action-renew").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.testid") == "cancel"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.testid") == "action-renew"
    menu.click()
    with page.expect_response("**/_ui/prefs"):
        page.get_by_role("button", name="Dark").click()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(17, 22, 29)"
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    tab.close()


def test_the_areas_are_a_drawer_on_narrow_screens(browser: Any, site: str) -> None:
    tab = Watched(browser, site, width=360)
    tab.sign_in()
    page = tab.page
    assert not page.get_by_role("link", name="Usage", exact=True).first.is_visible()
    page.get_by_role("button", name="Open the menu").click()
    page.get_by_role("link", name="Usage", exact=True).first.click()
    page.wait_for_url("**/ui/resources")
    tab.close()


def test_everything_works_without_scripts(browser: Any, site: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{site}{UI}login?next={UI}api_access")
    page.locator("#id_username").fill(EMAIL)
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_test_id("action-login").click()
    page.wait_for_url("**/ui/api_access")
    page.locator("#renew button").click()
    page.wait_for_url("**/ui/api_access?reveal=1")
    page.get_by_test_id("nav-user").click()
    page.get_by_test_id("nav-logout").click()
    page.wait_for_url("**/ui/login")
    context.close()


def test_usage_refreshes_itself_and_notices_the_end_of_the_session(
    browser: Any, site: str, settings: Any
) -> None:
    settings.ASTAKOS_USAGE_UPDATE_INTERVAL = 200
    tab = Watched(browser, site)
    tab.sign_in()
    page = tab.open("resources")
    with page.expect_response("**/resources/bars") as refreshed:
        pass
    assert refreshed.value.status == 200
    tab.context.clear_cookies()
    page.get_by_role("dialog", name="Session ended").wait_for()
    tab.problems = [problem for problem in tab.problems if "401" not in problem]
    tab.close()
