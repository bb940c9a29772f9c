"""The account's pages (web contract 8, 9): who sees them, what they show, what they never show."""

from __future__ import annotations

import csv
import io
import re

import pytest
import yaml
from django.test import Client

from astakos.models import Holding, SessionCatalog, User, UserAuthProvider
from synnefo import clock
from tests.astakos.conftest import Api, MakeUser, Person
from tests.page_checks import Page, problems_of

pytestmark = [pytest.mark.db, pytest.mark.django_db]

UI = "/astakos/ui/"
PAGES = ("landing", "profile", "api_access", "resources", "confirm", "logout")
PASSWORD = "correct horse battery"
SECRETS = (".kamakirc", "clouds.yaml", "openrc.sh", "rclone.conf")


def signed_in(person: Person, *, seconds_ago: float = 0) -> Client:
    """Return a browser with a session that began *seconds_ago*."""
    client = Client()
    client.force_login(person.row, backend="astakos.web.backend.SessionUserBackend")
    session = client.session
    session["login_moment"] = clock.now().timestamp() - seconds_ago
    session["login_module"] = "local"
    session.save()
    return client


@pytest.fixture
def person(service: Api, make_user: MakeUser) -> Person:
    return make_user("maria@example.org", password=PASSWORD)


@pytest.fixture
def browser(person: Person) -> Client:
    return signed_in(person)


@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_sound(browser, name):
    answer = browser.get(UI + name)
    assert answer.status_code == 200
    assert problems_of(answer.content.decode()) == []
    assert "default-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["", "login"])
def test_visitors_see_the_login_page_without_a_session(client, name):
    answer = client.get(UI + name)
    assert answer.status_code == 200
    assert problems_of(answer.content.decode()) == []
    assert "sessionid" not in answer.cookies


@pytest.mark.parametrize("name", ["landing", "profile", "api_access", "resources", "resources.csv", *SECRETS])
def test_visitors_are_sent_to_the_login_page_and_back(client, name):
    answer = client.get(UI + name)
    assert answer.status_code == 302
    assert answer["Location"] == f"{UI}login?next=%2Fastakos%2Fui%2F{name}"


@pytest.mark.parametrize("name", ["profile/update_token", "profile/end_sessions"])
def test_changes_are_made_by_post_only(browser, name):
    assert browser.get(UI + name).status_code == 405


@pytest.mark.parametrize(
    "name", ["profile/update_token", "profile/end_sessions", "profile", "confirm", "logout"]
)
def test_forged_changes_are_refused(person, name):
    client = Client(enforce_csrf_checks=True)
    client.cookies = signed_in(person).cookies
    assert client.post(UI + name).status_code == 403


def test_who_is_signed_in_skips_the_login_page(browser):
    assert browser.get(UI)["Location"] == f"{UI}landing"
    assert browser.get(f"{UI}login?next=/astakos/ui/profile")["Location"] == "/astakos/ui/profile"
    assert browser.get(f"{UI}login?next=https://evil.example/")["Location"] == f"{UI}landing"


def test_the_root_leads_to_the_dashboard(client):
    assert client.get("/")["Location"] == client.get("/astakos/")["Location"] == UI


@pytest.mark.parametrize("old", ["/im/profile?x=1", "/astakos/im/profile?x=1"])
def test_addresses_of_old_releases_lead_on(client, old):
    assert client.get(old)["Location"] == f"{UI}profile?x=1"


def _fields(page: Page) -> dict[str, dict[str, str]]:
    """Return the fields of the page's first form; the footer has one of its own."""
    return {field["name"]: field for field in reversed(page.all("input")) if "name" in field}


def test_the_login_form_says_what_to_fill_in(client):
    page = Page(client.get(f"{UI}login?next=/astakos/ui/profile").content.decode())
    fields = _fields(page)
    assert fields["username"]["autocomplete"] == "username"
    assert fields["password"]["autocomplete"] == "current-password"
    assert fields["next"]["value"] == "/astakos/ui/profile"


def test_a_hostile_next_is_not_in_the_form(client):
    page = Page(client.get(f"{UI}login?next=https://evil.example/").content.decode())
    assert _fields(page)["next"].get("value", "") == ""


def test_every_method_is_offered_and_the_last_one_marked(client, settings):
    settings.ASTAKOS_IM_MODULES = ["local", "shibboleth", "google"]
    client.cookies["astakos_last_login_method"] = "google"
    html = client.get(f"{UI}login").content.decode()
    assert f'href="{UI}login/shibboleth"' in html and f'href="{UI}login/google"' in html
    assert html.count("last used") == 1


def test_another_primary_method_comes_first(client, settings):
    settings.ASTAKOS_IM_MODULES = ["shibboleth", "local"]
    html = client.get(f"{UI}login").content.decode()
    assert html.index("login/shibboleth") < html.index('action="/astakos/ui/local"')


def test_login_forms_may_lead_to_the_cookies_domain(client, settings):
    settings.ASTAKOS_COOKIE_DOMAIN = ".example.org"
    policy = client.get(f"{UI}login")["Content-Security-Policy"]
    assert "form-action 'self' https://*.example.org https://example.org pithos: pithosdev:" in policy


def test_news_appear_where_the_settings_say(client, browser, settings):
    settings.ASTAKOS_LOGIN_MESSAGES = [("warning", "Maintenance <b>tonight</b><script>x()</script>")]
    settings.ASTAKOS_GLOBAL_MESSAGES = {"info": "Hello all"}
    login, landing = client.get(f"{UI}login").content.decode(), browser.get(f"{UI}landing").content.decode()
    assert "Maintenance <b>tonight</b>" in login and "x()" not in login and "Hello all" in login
    assert "Maintenance" not in landing and "Hello all" in landing
    assert all("Maintenance" in page.content.decode() for page in (client.get(UI), client.post(f"{UI}local")))
    settings.ASTAKOS_MESSAGES_VIEWS_MAP = {"landing": ["LOGIN_MESSAGES"]}
    assert "Maintenance" in browser.get(f"{UI}landing").content.decode()


def test_signing_out_by_a_link_from_elsewhere_asks_first(browser):
    assert "Sign out" in browser.get(f"{UI}logout").content.decode()
    assert browser.get(f"{UI}landing").status_code == 200


def test_signing_out_ends_the_session(browser):
    answer = browser.post(f"{UI}logout")
    assert (answer.status_code, answer["Location"]) == (303, f"{UI}login")
    assert "You are signed out" in browser.get(answer["Location"]).content.decode()
    assert browser.get(f"{UI}landing").status_code == 302


def test_our_own_link_signs_out_at_once(browser):
    assert browser.get(f"{UI}logout", HTTP_SEC_FETCH_SITE="same-origin").status_code == 302
    assert browser.get(f"{UI}landing").status_code == 302


def test_signing_out_leads_where_the_settings_say(browser, settings):
    settings.ASTAKOS_LOGOUT_NEXT = "https://www.example.org/"
    assert browser.post(f"{UI}logout")["Location"] == "https://www.example.org/"


def test_signing_out_never_leads_to_strangers(browser):
    assert browser.post(f"{UI}logout", {"next": "https://evil.example/"})["Location"] == f"{UI}login"


@pytest.mark.parametrize("name", PAGES)
def test_no_page_contains_the_token(person, browser, name):
    assert person.token not in browser.get(UI + name).content.decode()


def test_the_token_is_shown_after_a_recent_login(person, browser):
    answer = browser.get(f"{UI}api_access?reveal=1")
    assert person.token in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]


def test_an_old_login_is_asked_for_the_password_first(person):
    browser = signed_in(person, seconds_ago=1000)
    answer = browser.get(f"{UI}api_access?reveal=1")
    assert answer.status_code == 302 and answer["Location"].startswith(f"{UI}confirm?next=")
    for name in SECRETS:
        assert browser.get(UI + name)["Location"].startswith(f"{UI}confirm")
    token = person.row.auth_token_digest
    assert browser.post(f"{UI}profile/update_token").status_code == 302
    assert person.row.auth_token_digest == token


def test_the_right_password_opens_the_way(person):
    browser = signed_in(person, seconds_ago=1000)
    question = browser.get(f"{UI}api_access?reveal=1")["Location"]
    wrong = browser.post(question, {"password": "wrong", "next": "/astakos/ui/api_access"})
    assert wrong.status_code == 422 and "not your password" in wrong.content.decode()
    right = browser.post(question, {"password": PASSWORD, "next": f"{UI}api_access?reveal=1"})
    assert (right.status_code, right["Location"]) == (303, f"{UI}api_access?reveal=1")
    assert person.token in browser.get(right["Location"]).content.decode()


@pytest.mark.usefixtures("one_period")
def test_guessing_the_password_ends_soon(person):
    browser = signed_in(person, seconds_ago=1000)
    statuses = [browser.post(f"{UI}confirm", {"password": "wrong"}).status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]


def test_a_new_token_ends_the_old_one_and_other_sessions(person, browser):
    SessionCatalog.objects.create(session_key="another", user=person.row, created=clock.now())
    answer = browser.post(f"{UI}profile/update_token")
    assert (answer.status_code, answer["Location"]) == (303, f"{UI}api_access?reveal=1")
    page = browser.get(answer["Location"]).content.decode()
    assert person.token not in page and "You have a new token" in page
    assert not SessionCatalog.objects.filter(session_key="another").exists()


def test_an_expired_token_is_pointed_out(person, browser):
    User.objects.filter(uuid=person.uuid).update(auth_token_expires=clock.now())
    assert "Your token has expired" in browser.get(f"{UI}api_access").content.decode()


def test_kamakis_file_has_what_kamaki_reads(person, browser, settings):
    settings.BRANDING_SERVICE_NAME = "Blue Sky"
    answer = browser.get(f"{UI}.kamakirc")
    assert answer["Content-Disposition"] == 'attachment; filename=".kamakirc"'
    assert answer["Content-Type"].startswith("text/plain") and "no-store" in answer["Cache-Control"]
    lines = answer.content.decode().splitlines()
    assert lines[:2] == ["[global]", "default_cloud = blue_sky"]
    assert '[cloud "blue_sky"]' in lines and f"token = {person.token}" in lines


def test_the_clouds_name_can_be_chosen(browser, settings):
    settings.ASTAKOS_KAMAKI_CONFIG_CLOUD_NAME = 'my"cloud]'
    assert "default_cloud = mycloud\n" in browser.get(f"{UI}.kamakirc").content.decode()


def test_openstacks_file_has_both_ways(person, browser):
    clouds = yaml.safe_load(browser.get(f"{UI}clouds.yaml").content)["clouds"]
    assert clouds["synnefo"]["auth"]["token"] == person.token
    assert clouds["synnefo-password"]["auth"]["username"] == person.uuid


def test_the_shell_script_asks_for_the_token_unless_told_otherwise(person, browser):
    assert person.token not in browser.get(f"{UI}openrc.sh").content.decode()
    assert person.token in browser.get(f"{UI}openrc.sh?token=1").content.decode()


def test_rclones_file_is_a_swift_remote(person, browser):
    text = browser.get(f"{UI}rclone.conf").content.decode()
    assert "[synnefo]" in text and "type = swift" in text and f"key = {person.token}" in text


def test_names_are_saved(person, browser):
    answer = browser.post(f"{UI}profile", {"first_name": "Μαρία", "last_name": "<b>"})
    assert answer.status_code == 303
    html = browser.get(f"{UI}profile").content.decode()
    assert "Μαρία" in html and "&lt;b&gt;" in html
    refused = browser.post(f"{UI}profile", {"first_name": "", "last_name": "x" * 31})
    assert refused.status_code == 422 and problems_of(refused.content.decode()) == []


def test_other_sessions_can_be_ended(person, browser):
    SessionCatalog.objects.create(
        session_key="other", user=person.row, created=clock.now(), user_agent="Elsewhere/1"
    )
    assert "Elsewhere/1" in browser.get(f"{UI}profile").content.decode()
    assert browser.post(f"{UI}profile/end_sessions").status_code == 303
    assert not SessionCatalog.objects.filter(session_key="other").exists()
    assert browser.get(f"{UI}profile").status_code == 200


def test_choices_are_kept_on_the_account(person, browser):
    browser.post("/_ui/prefs", {"theme": "dark", "language": "el"})
    assert person.row.preferences.items() >= {"theme": "dark", "language": "el"}.items()
    page = Page(signed_in(person).get(f"{UI}landing").content.decode())
    assert page.all("html")[0]["data-theme"] == "dark" and page.all("html")[0]["lang"] == "el"


def test_usage_shows_a_bar_for_each_resource(browser):
    page = Page(browser.get(f"{UI}resources").content.decode())
    groups = [section for section in page.all("section") if section.get("class") == "usage-group"]
    assert groups and all(group["data-testid"].startswith("quota-") for group in groups)


def test_usage_can_be_narrowed(browser):
    page = Page(browser.get(f"{UI}resources?resource=demo.vm").content.decode())
    groups = [section for section in page.all("section") if section.get("class") == "usage-group"]
    assert [group["data-testid"] for group in groups] == ["quota-demo.vm"]
    assert "No match" in browser.get(f"{UI}resources?project=nonsense").content.decode()


def test_resources_are_presented_in_the_sites_words(browser, settings):
    settings.ASTAKOS_RESOURCES_META = {
        "demo.vm": {"report_desc": "Our machines", "help_text": "All of them", "group": "network"},
        "demo.ram": {
            "verbose_name": "Our memory", "group": "storage", "placeholder": "e.g. 4 GiB",
            "help_text_input_each": "for one member", "help_text_input_total": "for all together",
        },
    }  # fmt: skip
    text = browser.get(f"{UI}resources").content.decode()
    assert "Our machines" in text and "All of them" in text
    assert text.index('data-testid="quota-demo.ram"') < text.index('data-testid="quota-demo.vm"')
    form = browser.get(f"{UI}projects/add").content.decode()
    assert all(word in form for word in ("Our memory, in total", "e.g. 4 GiB", "for one member", "for all"))


def test_usage_as_csv_is_exact(browser):
    Holding.objects.filter(resource="demo.ram").update(usage_min=100, usage_max=300)
    rows = list(csv.reader(io.StringIO(browser.get(f"{UI}resources.csv").content.decode())))
    assert ["demo.ram", "bytes", "My own quota", "100", "200", "1000", "700"] in [
        [*row[:2], *row[3:]] for row in rows
    ]


def test_refreshing_usage_costs_few_queries(browser, django_assert_max_num_queries):
    browser.get(f"{UI}resources/bars")
    with django_assert_max_num_queries(7):
        answer = browser.get(f"{UI}resources/bars")
    assert "<html" not in answer.content.decode()


def test_refreshing_usage_tells_that_the_session_ended(client):
    answer = client.get(f"{UI}resources/bars")
    assert (answer.status_code, answer["HX-Trigger"]) == (401, "session-expired")


def test_the_overview_costs_few_queries(browser, django_assert_max_num_queries):
    browser.get(f"{UI}landing")
    with django_assert_max_num_queries(12):
        browser.get(f"{UI}landing")


def test_a_deactivated_users_session_ends(person, browser):
    User.objects.filter(uuid=person.uuid).update(is_active=False)
    assert browser.get(f"{UI}landing").status_code == 302


def test_other_sites_scripts_learn_nothing_from_the_menu(browser):
    address = f"{UI}get_menu?callback=f"
    assert b"maria@example.org" not in browser.get(address, HTTP_REFERER="https://evil.example/x").content
    assert b"maria@example.org" not in browser.get(address).content
    assert b"maria@example.org" in browser.get(address, HTTP_REFERER="http://testserver/x").content


def test_only_this_clouds_hosts_may_read_the_menu(browser, settings):
    settings.CLOUDBAR_ALLOWED_ORIGINS = ["https://www.example.org"]
    friend = browser.get(f"{UI}get_menu", HTTP_ORIGIN="https://www.example.org")
    assert friend["Access-Control-Allow-Origin"] == "https://www.example.org"
    stranger = browser.get(f"{UI}get_menu", HTTP_ORIGIN="https://evil.example")
    assert "Access-Control-Allow-Origin" not in stranger


def test_other_sites_get_the_cloud_bars_variables(client):
    text = client.get(f"{UI}cloudbar-settings.js").content.decode()
    assert 'window.CLOUDBAR_MENU_URL = "http://testserver/astakos/ui/get_menu";' in text


def test_names_that_a_provider_supplies_are_read_only(browser, person, settings):
    settings.ASTAKOS_AUTH_PROVIDER_LDAP_USER_ATTR_MAP = {"first_name": ("givenName", False)}
    UserAuthProvider.objects.create(
        user=person.row, module="ldap", identifier="guid", active=True, created=clock.now()
    )
    page = browser.get(f"{UI}profile").content.decode()
    field = re.search(r"<input[^>]*name=\"first_name\"[^>]*>", page)
    assert field is not None and "disabled" in field.group(0)
    answer = browser.post(f"{UI}profile", {"first_name": "Eve", "last_name": "Roe"})
    assert answer.status_code == 303
    assert (person.row.first_name, person.row.last_name) == ("Maria", "Roe")


def test_messages_of_the_staff_can_be_closed_but_errors_stay(browser, settings):
    settings.ASTAKOS_GLOBAL_MESSAGES = [("info", "Hello all"), ("error", "It burns")]
    html = browser.get(f"{UI}landing").content.decode()
    keys = re.findall(r'name="notice" value="([^"]+)"', html)
    assert len(keys) == 1
    answer = browser.post("/_ui/close-notice", {"notice": keys[0], "next": f"{UI}landing"})
    assert (answer.status_code, answer["Location"]) == (303, f"{UI}landing")
    assert answer.cookies["ui_closed"]["httponly"] and not answer.cookies["ui_closed"]["max-age"]
    html = browser.get(f"{UI}landing").content.decode()
    assert "Hello all" not in html and "It burns" in html
    settings.ASTAKOS_GLOBAL_MESSAGES = [("info", "Hello again")]
    assert "Hello again" in browser.get(f"{UI}landing").content.decode()


@pytest.mark.parametrize("key", ["", "x" * 12, "0" * 13, "<script>"])
def test_only_messages_can_be_closed(client, key):
    assert "ui_closed" not in client.post("/_ui/close-notice", {"notice": key}).cookies


def test_the_top_of_every_page_tells_what_is_closest_to_its_limit(browser):
    assert 'data-live="/astakos/ui/resources/chip"' in browser.get(f"{UI}profile").content.decode()
    Holding.objects.filter(resource="demo.ram", limit=1000).update(usage_min=700, usage_max=800)
    answer = browser.get(f"{UI}resources/chip")
    assert "demo.ram 80 %" in answer.content.decode() and "is-high" in answer.content.decode()
    assert answer["Cache-Control"] == "private, no-store"


def test_the_chip_tells_that_the_session_ended(client):
    answer = client.get(f"{UI}resources/chip")
    assert (answer.status_code, answer["HX-Trigger"]) == (401, "session-expired")


def test_the_command_line_does_the_same_as_the_page(browser, person):
    for address in ("resources", "projects"):
        html = browser.get(f"{UI}{address}").content.decode()
        assert 'data-testid="command-line"' in html and person.token not in html
