"""The account's pages in a real browser: accessible, narrow and wide, light and dark, by keyboard alone."""

from __future__ import annotations

from typing import Any

import pytest

from astakos.models import User
from synnefo import notifications
from tests.e2e.browser import EMAIL, PASSWORD, RULES, UI, Watched, problems_in_all_looks, violations

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(900),
]

VISITOR_PAGES = ("login", "nowhere")
MEMBER_PAGES = ("landing", "profile", "api_access", "resources", "confirm", "logout")


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
    tab.bring_session()
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


def judged(page: Any) -> list[str]:
    """Return what axe finds in the page as it is, in one look."""
    return violations(page, {"type": "tag", "values": RULES})


def test_search_tray_and_shortcuts_by_keyboard_alone(browser: Any, site: str) -> None:
    maria = User.objects.get(email=EMAIL)
    notifications.tell([maria.uuid], "membership.accepted", f"project:{maria.uuid}", project="genome")
    tab = Watched(browser, site, scheme="dark")
    tab.bring_session()
    page = tab.open("landing")
    page.locator("[data-bell-count]").filter(has_text="1").wait_for()
    page.keyboard.press("n")
    page.get_by_test_id("note").wait_for()
    problems = judged(page)
    page.get_by_test_id("action-mark-read").focus()
    page.keyboard.press("Enter")
    page.locator("[data-bell-count]").wait_for(state="hidden")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.testid") == "nav-notifications"
    page.keyboard.press("Control+k")
    page.keyboard.type("usag")
    page.get_by_role("option", name="Usage").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-activedescendant')") == "hit-page-1"
    problems += judged(page)
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/resources")
    page.keyboard.press("?")
    page.get_by_test_id("action-shortcuts-off").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/_ui/shortcuts")
    problems += judged(page)
    page.keyboard.press("/")
    assert not page.get_by_test_id("search-box").is_visible()
    tab.close()
    assert problems == []


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
    tab.bring_session()
    page = tab.open("resources")
    with page.expect_response("**/resources/bars") as refreshed:
        pass
    assert refreshed.value.status == 200
    tab.context.clear_cookies()
    page.get_by_role("dialog", name="Session ended").wait_for()
    tab.problems = [problem for problem in tab.problems if "401" not in problem]
    tab.close()
