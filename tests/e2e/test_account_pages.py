"""Sign-up, terms, projects, consent and the smaller account pages, judged by axe in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.test import Client

from astakos.logic import oauth2_clients, terms
from astakos.models import MembershipState, ProjectMembership, Resource, User
from synnefo.credentials import Credentials
from tests.astakos.conftest import SERVICES, Api, Person, public
from tests.astakos.project_world import ProjectWorld, make_world
from tests.e2e.browser import RULES, UI, Watched, light_and_wide, problems_in_all_looks, violations

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]
PASSWORD = "correct horse battery"
VISITOR_PAGES = (
    "signup", "local/password_reset", "local/password_reset/done", "local/password/reset/complete",
    "send/activation", "approval_terms",
)  # fmt: skip
MEMBER_PAGES = (
    "projects", "projects/search?q=lab", "projects/how_it_works", "projects/add", "feedback", "invite",
    "password_change", "email_change", "second_factor", "second_factor/totp", "approval_terms",
)  # fmt: skip
CONSENT = urlencode({"response_type": "code", "client_id": "viewer", "scope": "/a/b"})


@pytest.fixture
def world(browser: Any, live_server: Any, settings: Any, tmp_path: Path) -> ProjectWorld:
    """A project with members and an application under review, terms of use, and somebody else's program."""
    cache.clear()
    settings.ASTAKOS_BASE_URL = f"{live_server.url}/astakos"
    settings.ASTAKOS_INVITATIONS_ENABLED = True
    settings.ASTAKOS_RECAPTCHA_ENABLED = True
    settings.ASTAKOS_CAPTCHA_WORK_BITS = 4
    settings.ASTAKOS_EMAILCHANGE_ENABLED = True
    settings.OAUTH2_REQUIRE_TLS = False
    client = Client()
    token = public.register_component(
        name="demo", base_url=live_server.url, ui_url=live_server.url, services=SERVICES
    )
    Resource.objects.filter(name="demo.vm").update(uplimit=4)

    def make_user(email: str, **fields: Any) -> Person:
        created = public.create_user(email=email, **{"password": PASSWORD, "last_name": "Doe", **fields})
        return Person(created.uuid, created.token, Api(client, created.token))

    people = make_world(Api(client, token), make_user, settings)
    text = tmp_path / "terms.html"
    text.write_text("<h2>Be kind</h2><p>That is all.</p>")
    terms.add(Credentials.administrator(), path=str(text))
    for person in User.objects.all():
        terms.mark_signed(person)
        person.save()
    oauth2_clients.add(
        Credentials.administrator(), identifier="viewer", urls=["https://viewer.example/back"], is_public=True
    )
    return people


def sign_in(tab: Watched, email: str) -> None:
    page = tab.open("login")
    page.locator("#id_username").fill(email)
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_test_id("action-login").click()
    page.wait_for_url("**/ui/landing")


def judged(tab: Watched, names: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        answer = tab.page.goto(f"{tab.site}{UI}{name}")
        found[name] = [] if answer.status == 200 else [f"status {answer.status}", tab.page.inner_text("main")]
        found[name] += problems_in_all_looks(tab.page)
    light_and_wide(tab.page)
    return {name: problems for name, problems in found.items() if problems}


def test_a_visitors_pages_are_accessible_and_sign_up_leads_on(browser: Any, world: ProjectWorld) -> None:
    tab = Watched(browser, world_url(world))
    assert judged(tab, VISITOR_PAGES) == {}
    page = tab.open("signup")
    page.fill("[name=email]", "new@gmial.com")
    page.fill("[name=password1]", "short")
    page.get_by_role("button", name="new@gmail.com").click()
    assert page.input_value("[name=email]") == "new@gmail.com"
    assert "weak" in page.get_by_test_id("password-strength").inner_text()
    fields = {"email": "new@lab.example", "first_name": "New", "last_name": "Comer"}
    for name, value in {**fields, "password1": PASSWORD, "password2": PASSWORD}.items():
        page.fill(f"[name={name}]", value)
    page.check("[name=has_signed_terms]")
    page.get_by_text("has shown that you are not a program").wait_for()
    page.locator("main form button[type=submit]").click()
    page.wait_for_url("**/signup/done/**")
    assert problems_in_all_looks(page) == []
    # The bar belongs on other sites, where this one's link to the content does not come first.
    page.locator(".skip-link").evaluate("link => link.remove()")
    page.add_script_tag(url=f"{tab.site}/static/branding/cloudbar.js")
    page.get_by_role("navigation", name="Cloud services").get_by_role("link", name="Sign in").wait_for()
    assert problems_in_all_looks(page) == []
    tab.close()
    assert User.objects.get(email="new@lab.example").has_signed_terms


def test_members_pages_are_accessible(browser: Any, world: ProjectWorld, settings: Any) -> None:
    uuid = world.project()
    world.enroll(uuid)
    world.join(uuid, world.stranger)
    waiting, application = world.apply("waiting.lab.example")
    tab = Watched(browser, world_url(world))
    sign_in(tab, "olga@lab.example")
    of_project = tuple(f"projects/{uuid}{end}" for end in ("", "/modify", "/members", "/members/pending"))
    review = f"projects/{waiting}/app/{application}"
    consent = f"../oauth2/auth/?{CONSENT}"
    settings.ASTAKOS_GLOBAL_MESSAGES = [("info", "Hello all")]
    assert judged(tab, (*MEMBER_PAGES, *of_project, review, consent)) == {}
    page = tab.open("profile")
    page.get_by_test_id("close-notice").click()
    page.get_by_test_id("close-notice").wait_for(state="detached")
    assert not tab.open("profile").get_by_test_id("close-notice").count()
    page.get_by_test_id("quota-chip").get_by_text("%").wait_for()
    many_members_at_once(tab, uuid)
    a_long_choice(page)
    tab.close()
    assert {row.state for row in ProjectMembership.objects.all()} >= {MembershipState.REJECTED}
    reviewer = Watched(browser, world_url(world), locale="el")
    reviewer.bring_session("ada@lab.example")
    assert judged(reviewer, ("projects", review, f"projects/{uuid}/members")) == {}
    assert reviewer.page.locator("html").get_attribute("lang") == "el"
    reviewer.close()


def many_members_at_once(tab: Watched, uuid: str) -> None:
    """Select a member and somebody who asks to be one: what is for both, what for one, and then do it."""
    page = tab.open(f"projects/{uuid}/members")
    page.get_by_test_id("columns").locator("summary").click()
    page.locator("#show-joined").uncheck()
    page.get_by_test_id("save-columns").click()
    page.get_by_role("columnheader", name="Joined").wait_for(state="detached")
    # On a phone rows are cards; the box that selects them all is there, too.
    page.set_viewport_size({"width": 320, "height": 740})
    page.get_by_test_id("select-page").check()
    page.get_by_test_id("select-page").uncheck()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_test_id("select-page").check()
    bar, remove = page.get_by_test_id("bulk-bar"), page.get_by_test_id("bulk-remove")
    bar.get_by_text("2 selected", exact=True).wait_for()
    assert remove.get_attribute("aria-disabled") == "true"
    assert "1 of the 2" in remove.get_attribute("title")
    assert violations(page, {"type": "tag", "values": RULES}) == []
    assert page.evaluate(PATCHED) == ["some", "all", 2, "New name"]
    bar.get_by_role("button", name="Select only the 1").click()
    bar.get_by_text("1 selected", exact=True).wait_for()
    dialog = page.get_by_role("dialog", name="Reject 1 request")
    for key in ("Escape", "Enter"):
        page.get_by_test_id("bulk-reject").press("Enter")
        dialog.wait_for()
        assert page.evaluate("document.activeElement.name") == "reason"
        if key == "Escape":
            assert violations(page, {"type": "tag", "values": RULES}) == []
            page.keyboard.press(key)
            dialog.wait_for(state="detached")
            assert page.evaluate("document.activeElement.dataset.testid") == "bulk-reject"
    page.keyboard.type("There is no room.")
    dialog.get_by_test_id("confirm").press("Enter")
    page.get_by_text("1 membership changed.").wait_for()


#: Brings a list up to date with another name in it, while its row has the focus and afterwards; says what
#: was done, what is selected, and the name.
PATCHED = """async () => {
  const { patchRows } = await import("/static/branding/js/rows.js");
  const holder = document.querySelector("[data-live*=members]");
  const answer = new DOMParser().parseFromString(holder.innerHTML, "text/html").body;
  answer.querySelector("tbody td[data-label]").textContent = "New name";
  holder.querySelector("tbody td[data-label]").closest("tr").querySelector("a, input").focus();
  const held = patchRows(holder, answer);
  document.activeElement.blur();
  const done = patchRows(holder, answer);
  return [held, done, holder.querySelectorAll("tbody input:checked").length,
          holder.querySelector("tbody td[data-label]").textContent];
}"""
#: Puts a choice of twenty things into the page.
LONG_CHOICE = """async () => {
  const { enableComboboxes } = await import("/static/branding/js/combobox.js");
  const label = Object.assign(document.createElement("label"), { htmlFor: "thing", textContent: "Thing" });
  const select = Object.assign(document.createElement("select"), { id: "thing", name: "thing" });
  select.dataset.combobox = "";
  for (let i = 0; i < 20; i += 1) select.add(new Option(`Project ${i}, Αθήνα`, `p${i}`));
  document.querySelector("main").prepend(label, select);
  enableComboboxes();
}"""


def a_long_choice(page: Any) -> None:
    """Type in a long list and choose by keyboard; what is nothing to choose goes away."""
    page.evaluate(LONG_CHOICE)
    box = page.get_by_role("combobox", name="Thing")
    box.fill("αθηνα 17")
    assert page.locator("#thing-list > li").all_inner_texts() == ["Project 17, Αθήνα"]
    assert box.get_attribute("aria-activedescendant") == "thing-list-0"
    assert violations(page, {"type": "tag", "values": RULES}) == []
    box.press("Enter")
    assert (page.locator("#thing").input_value(), box.get_attribute("aria-expanded")) == ("p17", "false")
    box.fill("nothing like it")
    box.press("Escape")
    box.blur()
    assert box.input_value() == "Project 17, Αθήνα"
    box.press("ArrowDown")
    box.press("ArrowDown")
    box.press("Enter")
    assert page.locator("#thing").input_value() == "p18"


def world_url(world: ProjectWorld) -> str:
    """Return the address of the site the people live in."""
    from django.conf import settings

    return str(settings.ASTAKOS_BASE_URL).removesuffix("/astakos")
