"""Second factors in a real browser with a virtual security key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyotp
import pytest

from synnefo import clock
from tests.e2e.browser import EMAIL, PASSWORD, UI, problems_in_all_looks

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(900),
]


@pytest.fixture
def page(browser: Any, site: str, settings: Any) -> Iterator[Any]:
    """A tab of a browser that has a security key."""
    address = site.replace("127.0.0.1", "localhost")
    settings.ALLOWED_HOSTS = ["*"]
    settings.ASTAKOS_BASE_URL = f"{address}/astakos"
    context = browser.new_context(base_url=address, reduced_motion="reduce")
    tab = context.new_page()
    tab.set_default_timeout(120_000)
    tab.broken = []
    tab.on("pageerror", lambda error: tab.broken.append(str(error)))
    tab.on("console", lambda line: tab.broken.append(line.text) if "Content Security" in line.text else None)
    session = context.new_cdp_session(tab)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield tab
    assert tab.broken == []
    context.close()


def log_in(page: Any) -> None:
    page.goto(f"{UI}login")
    page.fill("[name=username]", EMAIL)
    page.fill("[name=password]", PASSWORD)
    page.click("[data-testid=action-login]")


def check_accessible(page: Any) -> None:
    assert problems_in_all_looks(page) == []


def test_a_passkey_and_a_code_guard_the_login(page: Any) -> None:
    log_in(page)
    page.goto(f"{UI}second_factor/passkeys/add")
    check_accessible(page)
    page.fill("[name=name]", "Key ring")
    page.click("[data-testid=action-passkey]")
    page.wait_for_selector("[data-testid=recovery-codes]")
    assert page.locator("[data-testid=recovery-codes] li").count() == 10
    check_accessible(page)
    page.goto(f"{UI}second_factor/totp")
    check_accessible(page)
    secret = page.locator("main [data-copy]").first.get_attribute("data-copy")
    page.fill("[name=code]", pyotp.TOTP(secret).at(clock.now()))
    page.click("[data-testid=action-confirm]")
    page.wait_for_selector("[data-testid=action-remove-totp]")
    page.context.clear_cookies()

    log_in(page)
    page.wait_for_selector("[data-testid=action-passkey]")
    check_accessible(page)
    page.goto(f"{UI}profile")
    assert "/login" in page.url
    log_in(page)
    page.click("[data-testid=action-passkey]")
    page.wait_for_url(f"**{UI}landing")
