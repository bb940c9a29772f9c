"""The shell around all pages: errors, brand, preferences, policy (web contract 2.1, 5, 15)."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path

from branding import checks, errors, identity
from synnefo import urls as site_urls
from synnefo.content_security import ContentSecurityMiddleware, policy, with_sources
from synnefo.errors import Conflict, OverLimit, ServiceUnavailable
from tests.page_checks import Page, problems_of

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def _fails(request: HttpRequest, kind: str) -> HttpResponse:
    raise {
        "conflict": Conflict("The machine is busy"),
        "limit": OverLimit("You may have 2 machines and have 2"),
        "down": ServiceUnavailable("Ganeti does not answer"),
        "bug": ZeroDivisionError("secret detail"),
    }[kind]


class _Urls:
    handler400, handler403 = site_urls.handler400, site_urls.handler403
    handler404, handler500 = site_urls.handler404, site_urls.handler500
    urlpatterns = [*site_urls.urlpatterns, path("fails/<str:kind>", _fails)]


@pytest.fixture
def failing(settings) -> Client:
    settings.ROOT_URLCONF = _Urls
    return Client(raise_request_exception=False)


def test_an_unknown_page_is_a_page_with_its_status(client):
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert problems_of(answer.content.decode()) == []
    assert answer["X-Request-Id"] in answer.content.decode()


def test_who_asks_for_json_gets_a_fault(client):
    answer = client.get("/nowhere", HTTP_ACCEPT="application/json")
    assert (answer.status_code, answer.json()["itemNotFound"]["code"]) == (404, 404)


@pytest.mark.parametrize(("kind", "status"), [("conflict", 409), ("limit", 413), ("down", 503)])
def test_a_fault_keeps_its_status_and_its_message(failing, kind, status):
    answer = failing.get(f"/fails/{kind}")
    assert answer.status_code == status
    assert problems_of(answer.content.decode()) == []


def test_an_unavailable_part_says_when_to_come_back(failing):
    assert int(failing.get("/fails/down")["Retry-After"]) > 0


def test_a_bug_shows_no_detail(failing):
    answer = failing.get("/fails/bug")
    assert answer.status_code == 500
    assert b"secret detail" not in answer.content and b"Traceback" not in answer.content
    assert problems_of(answer.content.decode()) == []
    assert answer["X-Request-Id"] in answer.content.decode()


def test_the_500_page_asks_neither_database_nor_session(django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = errors.server_error(RequestFactory().get("/x"))
    assert answer.status_code == 500


def test_a_forged_form_is_told_to_reload():
    answer = Client(enforce_csrf_checks=True).post("/_ui/prefs", {"theme": "dark"})
    assert answer.status_code == 403
    assert "expired" in Page(answer.content.decode()).text


def test_visitors_get_no_session(client):
    for address in ("/nowhere", "/astakos/ui/", "/branding/theme.css"):
        assert "sessionid" not in client.get(address).cookies


def test_the_policy_allows_nothing_inline(client):
    policy_text = client.get("/nowhere")["Content-Security-Policy"]
    assert "default-src 'none'" in policy_text and "unsafe" not in policy_text


def test_the_policy_may_only_report(client, settings):
    settings.UI_CSP_REPORT_ONLY, settings.UI_CSP_REPORT_URI = True, "/reports"
    answer = client.get("/nowhere")
    assert "Content-Security-Policy" not in answer
    assert "report-uri /reports" in answer["Content-Security-Policy-Report-Only"]


def test_one_view_may_widen_the_policy():
    @with_sources(connect_src=("wss://proxy.example:*",), frame_src=lambda request: ("https://x.example",))
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("<p>")

    text = ContentSecurityMiddleware(view)(RequestFactory().get("/"))["Content-Security-Policy"]
    assert "connect-src 'self' wss://proxy.example:*" in text and "frame-src https://x.example" in text


def test_encrypted_pages_upgrade_everything():
    assert "upgrade-insecure-requests" in policy(is_secure=True)
    assert "upgrade-insecure-requests" not in policy(is_secure=False)


def test_the_brand_reaches_every_page(client, settings):
    settings.BRANDING_SERVICE_NAME = "Nimbus"
    settings.BRANDING_COMPANY_NAME = "Sky Inc"
    settings.BRANDING_DASHBOARD_LOGO_URL = "https://img.example/logo.png"
    settings.BRANDING_FOOTER_EXTRA_MESSAGE = "<b>Hello</b><script>bad()</script>"
    answer = client.get("/nowhere")
    html = answer.content.decode()
    assert "· Nimbus</title>" in html and "2011-" in html and "Sky Inc" in html
    assert 'src="https://img.example/logo.png"' in html and 'alt="Nimbus Dashboard"' in html
    assert "https://img.example" in answer["Content-Security-Policy"]
    assert "<b>Hello</b>" in html and "bad()" not in html


def test_the_copyright_can_be_hidden_or_replaced(client, settings):
    settings.BRANDING_COPYRIGHT_MESSAGE = "All rights reversed"
    assert "All rights reversed" in client.get("/nowhere").content.decode()
    settings.BRANDING_SHOW_COPYRIGHT = False
    assert "All rights reversed" not in client.get("/nowhere").content.decode()


def test_shipped_logos_come_in_two_sizes():
    for area in identity.AREAS:
        assert "@2x.png 2x" in identity.logo(area).srcset


def test_the_old_spelling_of_the_dashboard_logo_counts(settings):
    settings.BRANDING_DASHBOARD_URL = "mine.png"
    assert identity.logo("dashboard").url.endswith("branding/images/mine.png")


def test_colours_go_into_the_last_layer(client, settings):
    settings.BRANDING_COLORS = {"light": {"accent": "#aa0000"}, "dark": {"accent": "red;} x {"}}
    answer = client.get(f"/branding/theme.css?v={identity.theme_version()}")
    text = answer.content.decode()
    assert "@layer brand" in text and "--c-accent: #aa0000" in text and "red" not in text
    assert "immutable" in answer["Cache-Control"]


def test_colours_that_cannot_be_read_are_reported(settings):
    settings.BRANDING_COLORS = {"light": {"text": "#dddddd"}}
    assert [message.id for message in checks.check_colors(None)] == ["branding.W001"]
    settings.BRANDING_COLORS = {"light": {"text": "url(x)"}}
    assert [message.id for message in checks.check_colors(None)] == ["branding.E001"]
    settings.BRANDING_COLORS = {}
    assert checks.check_colors(None) == []


def test_the_checks_of_django_pass():
    call_command("check", fail_level="WARNING", tags=None)


def test_the_manifest_names_the_cloud(client, settings):
    settings.BRANDING_SERVICE_NAME = "Nimbus"
    assert client.get("/branding/manifest.webmanifest").json()["name"] == "Nimbus"


def test_a_theme_is_there_from_the_first_byte(client):
    answer = client.post("/_ui/prefs", {"theme": "dark", "next": "/nowhere"})
    assert (answer.status_code, answer["Location"]) == (303, "/nowhere")
    assert Page(client.get("/nowhere").content.decode()).all("html")[0]["data-theme"] == "dark"


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:x", "\\evil"])
def test_choices_lead_back_to_this_site_only(client, back):
    assert client.post("/_ui/prefs", {"theme": "dark", "next": back})["Location"] == "/"


def test_unknown_choices_change_nothing(client):
    client.post("/_ui/prefs", {"theme": "<b>", "language": "xx"})
    assert Page(client.get("/nowhere").content.decode()).all("html")[0]["data-theme"] == "system"


def test_choices_are_made_by_post_only(client):
    assert client.get("/_ui/prefs").status_code == 405


@pytest.mark.parametrize(
    ("accepted", "chosen", "expected"),
    [("el,en;q=0.5", "", "el"), ("el", "en", "en"), ("fr", "", "en"), ("en", "el", "el")],
)
def test_the_language_is_the_choice_then_the_browsers(client, accepted, chosen, expected):
    if chosen:
        client.post("/_ui/prefs", {"language": chosen})
    answer = client.get("/astakos/ui/login", HTTP_ACCEPT_LANGUAGE=accepted)
    assert Page(answer.content.decode()).all("html")[0]["lang"].split("-")[0] == expected


def test_interfaces_for_programs_stay_english(client):
    address = "/astakos/account/v1.0/quotas"
    assert client.get(address, HTTP_ACCEPT_LANGUAGE="el").content == client.get(address).content


def test_a_pages_title_is_its_heading(client):
    html = client.get("/astakos/ui/login").content.decode()
    assert "<title>Sign in · " in html and "<h1>Sign in</h1>" in html
