"""Pages of sign-up, activation, passwords, address, terms, feedback, invitations (web contract 8)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from astakos import public
from astakos.logic import invitations, terms
from astakos.models import ApprovalTerms, User
from synnefo import clock
from synnefo.errors import Unauthorized
from tests.astakos.conftest import MakeUser, Person
from tests.page_checks import Page, problems_of

pytestmark = [pytest.mark.functional, pytest.mark.django_db]
UI = "/astakos/ui"
EMAIL, PASSWORD = "nina@lab.example", "long-enough-1"


class Browser:
    """A browser that sends the form of the page it shows, with its CSRF token, and follows no redirect."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.token = ""

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.client.get(path if path.startswith(("/", "http")) else f"{UI}/{path}")
        assert answer.status_code == status, answer.content[:2000]
        if answer["Content-Type"].startswith("text/html") and status < 300:
            html = answer.content.decode()
            assert problems_of(html) == []
            found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', html)
            self.token = found[1] if found else self.token
        return answer

    def post(self, path: str, status: int = 303, **fields: Any) -> Any:
        if not self.token:
            self.get("login")
        answer = self.client.post(
            path if path.startswith("/") else f"{UI}/{path}", {"csrfmiddlewaretoken": self.token, **fields}
        )
        assert answer.status_code == status, answer.content[:3000]
        if status in (422, 409):
            assert problems_of(answer.content.decode()) == []
        return answer

    def log_in(self, email: str, password: str) -> None:
        self.get("login")
        self.post("local", username=email, password=password)
        self.token = self.client.cookies["csrftoken"].value


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def maria(browser: Browser, user: Person) -> Browser:
    browser.log_in("maria@lab.example", "a-password")
    return browser


Mailed = Callable[..., Any]


@pytest.fixture
def mailed(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Mailed:
    """Do something and return the text of the mails it sends."""

    def run(action: Callable[[], Any]) -> str:
        mail.outbox.clear()
        with django_capture_on_commit_callbacks(execute=True):
            action()
        return "\n".join(str(message.body) for message in mail.outbox)

    return run


def link_in(text: str, pattern: str) -> str:
    found = re.search(rf"http://testserver({UI}/{pattern})", text)
    assert found, text
    return found[1]


def sign_up(browser: Browser, email: str = EMAIL, status: int = 303, **fields: Any) -> Any:
    browser.get("signup")
    values = {
        "first_name": "Nina",
        "last_name": "New",
        "password1": PASSWORD,
        "password2": PASSWORD,
        **fields,
    }
    return browser.post("signup", status, email=email, **values)


# -- sign-up and activation --------------------------------------------------------------------------------


def test_from_the_form_to_the_overview(browser: Browser, mailed: Mailed, settings: Settings) -> None:
    settings.ASTAKOS_MODERATION_ENABLED = False
    text = mailed(lambda: sign_up(browser))
    link = link_in(text, r"activate\?auth=[\w-]+")
    page = Page(browser.get(link).content.decode())
    assert "n•••@lab.example" in page.text
    assert not User.objects.get().email_verified
    code = link.partition("auth=")[2]
    answer = browser.post("activate", auth=code)
    assert answer["Location"] == f"{UI}/landing"
    assert "sessionid" in browser.client.cookies
    browser.get("landing")
    Browser().get(link, status=404)


def test_account_that_waits_for_staff_is_not_signed_in(browser: Browser, mailed: Mailed) -> None:
    link = link_in(mailed(lambda: sign_up(browser)), r"activate\?auth=[\w-]+")
    browser.get(link)
    answer = browser.post("activate", auth=link.partition("auth=")[2])
    assert answer["Location"] == f"{UI}/login"
    assert "member of staff" in Page(browser.get("login").content.decode()).text


def test_links_without_a_code_are_forbidden_and_unknown_ones_not_found(browser: Browser) -> None:
    browser.get("activate", status=403)
    page = browser.get("activate?auth=unknown", status=404)
    assert "Send a new link" in Page(page.content.decode()).text
    browser.get("activate?auth=%00%ff", status=404)


def test_signed_in_visitors_do_not_activate(maria: Browser) -> None:
    assert maria.get("activate?auth=x", status=303)["Location"] == f"{UI}/landing"
    assert maria.get("signup", status=303)["Location"] == f"{UI}/"


def test_address_in_use_cannot_be_told_from_a_new_one(user: Person, mailed: Mailed) -> None:
    answers = []
    for email in (EMAIL, "maria@lab.example"):
        visitor = Browser()
        text = mailed(lambda visitor=visitor, email=email: sign_up(visitor, email))
        location = sign_up(visitor, email)["Location"]
        page = visitor.get(location).content.decode()
        reference = location.rstrip("/").rpartition("/")[2]
        cleaned = re.sub(r'value="[^"]+"', "", page.replace(reference, ""))
        answers.append((re.sub(r"done/.*", "done/", location), cleaned, bool(text)))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"password2": "another"}, "differ"),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password1": "nina@lab.example", "password2": "nina@lab.example"}, "too similar"),
        ({"first_name": ""}, "First name"),
        ({"first_name": "a\u2028b"}, "printable"),
        ({"email": "nonsense"}, "valid email"),
        ({"last_name": "\0"}, "Null characters"),
    ],
)
def test_mistakes_are_shown_at_the_form(browser: Browser, fields: dict[str, str], text: str) -> None:
    answer = sign_up(browser, **{"email": EMAIL, **fields}, status=422)
    assert text in Page(answer.content.decode()).text
    assert PASSWORD not in answer.content.decode()


def test_the_first_login_leads_by_way_of_the_profile(
    browser: Browser, user: Person, settings: Settings
) -> None:
    settings.ASTAKOS_FORCE_PROFILE_UPDATE = True
    names = {"username": "maria@lab.example", "password": "a-password", "next": f"{UI}/projects"}
    browser.get("login")
    profile = browser.post("local", **names)["Location"]
    assert profile == f"{UI}/profile?next=%2Fastakos%2Fui%2Fprojects"
    assert f'href="{UI}/projects" data-testid="action-continue"' in browser.get(profile).content.decode()
    answer = browser.post(profile, first_name="Maria", last_name="New")
    assert answer["Location"] == f"{UI}/projects"
    again = Browser()
    again.get("login")
    assert again.post("local", **names)["Location"] == f"{UI}/projects"


def test_forms_need_their_token(browser: Browser) -> None:
    for path in ("signup", "activate", "local/password_reset", "send/activation", "approval_terms"):
        assert browser.client.post(f"{UI}/{path}", {"email": EMAIL}).status_code == 403


def test_policy_and_unknown_tokens_close_the_form(browser: Browser, settings: Settings) -> None:
    browser.get("signup?third_party_token=unknown", status=404)
    browser.get("signup?code=unknown", status=404)
    settings.ASTAKOS_AUTH_PROVIDER_LOCAL_CREATE_POLICY = False
    browser.get("signup", status=403)


def test_without_passwords_a_sign_up_begins_with_the_choice_of_a_method(
    browser: Browser, settings: Settings
) -> None:
    settings.ASTAKOS_IM_MODULES = ["shibboleth"]
    answer = browser.get(f"signup?next={UI}/projects", 303)
    assert answer["Location"] == f"{UI}/login?next=%2Fastakos%2Fui%2Fprojects"
    assert f'href="{UI}/login/shibboleth' in browser.get(answer["Location"]).content.decode()


@pytest.mark.usefixtures("one_period")
def test_sign_ups_of_one_address_are_limited(browser: Browser, settings: Settings) -> None:
    settings.ASTAKOS_RATELIMIT_FORMS_PER_HOUR = 1
    sign_up(browser)
    answer = sign_up(browser, "b@lab.example", status=429)
    assert int(answer["Retry-After"]) > 0


def test_captcha_is_shown_and_demanded(browser: Browser, settings: Settings) -> None:
    settings.ASTAKOS_RECAPTCHA_ENABLED = True
    settings.ASTAKOS_CAPTCHA_PROVIDER = "hcaptcha"
    settings.ASTAKOS_RECAPTCHA_PUBLIC_KEY = "site-key"
    page = browser.get("signup")
    assert 'data-sitekey="site-key"' in page.content.decode()
    assert "https://hcaptcha.com" in page["Content-Security-Policy"]
    answer = sign_up(browser, status=422)
    assert "not a program" in answer.content.decode()
    assert not User.objects.exists()


def test_mail_is_sent_again_with_the_same_answer_for_everybody(
    browser: Browser, user: Person, mailed: Mailed
) -> None:
    mailed(lambda: sign_up(browser))
    for email, has_mail in ((EMAIL, True), ("maria@lab.example", False), ("nobody@lab.example", False)):
        text = mailed(lambda email=email: browser.post("send/activation", email=email))
        assert ("activate?auth=" in text) is has_mail
    done = sign_up(browser, "c@lab.example")["Location"]
    reference = done.rstrip("/").rpartition("/")[2]
    browser.get(f"send/activation/{reference}")
    assert "activate?auth=" in mailed(lambda: browser.post(f"send/activation/{reference}"))
    browser.post("send/activation/7")


# -- passwords ---------------------------------------------------------------------------------------------


def test_forgotten_password(browser: Browser, user: Person, mailed: Mailed) -> None:
    browser.get("local/password_reset")
    text = mailed(lambda: browser.post("local/password_reset", email="maria@lab.example"))
    link = link_in(text, r"local/reset/confirm/[\w-]+/[\w-]+/")
    page = browser.get(link)
    assert page["Referrer-Policy"] == "same-origin"
    browser.post(link, 422, new_password1=PASSWORD, new_password2="other")
    browser.post(link, 422, new_password1="short", new_password2="short")
    answer = browser.post(link, new_password1=PASSWORD, new_password2=PASSWORD)
    browser.get(answer["Location"])
    browser.get(link, status=404)
    browser.log_in("maria@lab.example", PASSWORD)
    with pytest.raises(Unauthorized):
        public.authenticate(user.token)


def test_reset_answers_the_same_for_unknown_addresses(user: Person, mailed: Mailed) -> None:
    pages = []
    for email in ("maria@lab.example", "nobody@lab.example"):
        visitor = Browser()
        visitor.get("local/password_reset")
        answer = visitor.post("local/password_reset", email=email)
        page = visitor.get(answer["Location"]).content.decode()
        pages.append((answer["Location"], re.sub(r'value="[^"]+"', "", page)))
    assert pages[0] == pages[1]


def test_change_keeps_this_browser_and_ends_the_others(maria: Browser, user: Person) -> None:
    other = Browser()
    other.log_in("maria@lab.example", "a-password")
    maria.get("password_change")
    fields = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    answer = maria.post("password_change", 422, old_password="wrong", **fields)
    assert "old password is wrong" in answer.content.decode()
    before = maria.client.cookies["sessionid"].value
    maria.post("password_change", old_password="a-password", **fields)
    assert maria.client.cookies["sessionid"].value != before
    maria.get("profile")
    other.get("profile", status=302)


def test_renewal_of_the_token_is_a_choice_where_the_site_says_so(
    maria: Browser, user: Person, settings: Settings
) -> None:
    settings.ASTAKOS_NEWPASSWD_INVALIDATE_TOKEN = False
    assert 'name="renew"' in maria.get("password_change").content.decode()
    maria.post("password_change", old_password="a-password", new_password1=PASSWORD, new_password2=PASSWORD)
    assert public.authenticate(user.token)


# -- change of address -------------------------------------------------------------------------------------


def test_new_address_by_its_link(maria: Browser, user: Person, mailed: Mailed, settings: Settings) -> None:
    maria.get("email_change", status=403)
    settings.ASTAKOS_EMAILCHANGE_ENABLED = True
    maria.get("email_change")
    maria.post("email_change", 422, new_email_address="maria@lab.example")
    text = mailed(lambda: maria.post("email_change", new_email_address=EMAIL))
    assert EMAIL in Page(maria.get("email_change").content.decode()).text
    link = link_in(text, r"email_change/confirm/[0-9a-f]{40}")
    stranger = Browser()
    stranger.get(link)
    assert user.row.email == "maria@lab.example"
    stranger.post(link)
    assert user.row.username == EMAIL
    stranger.get(link, status=404)


def test_address_taken_meanwhile_is_told(
    maria: Browser, make_user: MakeUser, mailed: Mailed, settings: Settings
) -> None:
    settings.ASTAKOS_EMAILCHANGE_ENABLED = True
    maria.get("email_change")
    link = link_in(
        mailed(lambda: maria.post("email_change", new_email_address=EMAIL)),
        r"email_change/confirm/[0-9a-f]{40}",
    )
    make_user(EMAIL)
    maria.get(link)
    maria.post(link, 409)
    maria.post("email_change", 409, new_email_address=EMAIL)
    assert maria.post("email_change/cancel")["Location"] == f"{UI}/profile"


# -- terms of use ------------------------------------------------------------------------------------------


def add_terms(text: str = "<h1>Terms</h1><p>Be good</p>") -> ApprovalTerms:
    row = ApprovalTerms.objects.create(date=clock.now(), location="/t", text=text, sha256="0" * 64)
    User.objects.update(has_signed_terms=False)
    return row


def test_unsigned_users_are_led_to_the_terms_and_back(maria: Browser, user: Person) -> None:
    old, new = add_terms("<p>Old</p>"), add_terms()
    answer = maria.get("profile", status=302)
    assert answer["Location"].startswith(f"{UI}/approval_terms?next=")
    page = maria.get(answer["Location"]).content.decode()
    assert "Be good" in page
    following = f"{UI}/profile"
    maria.post("approval_terms", 422, terms_id=new.pk, next=following)
    maria.post("approval_terms", 409, terms_id=old.pk, has_signed_terms="on", next=following)
    signed = maria.post("approval_terms", terms_id=new.pk, has_signed_terms="on", next=following)
    assert signed["Location"] == following
    assert user.row.signed_terms_id == new.pk
    maria.get("profile")


def test_anybody_reads_every_version_and_nobody_signs_for_others(browser: Browser) -> None:
    assert browser.get("approval_terms", status=303)["Location"] == f"{UI}/"
    old, new = add_terms("<p>Old</p>"), add_terms()
    assert "Old" in browser.get(f"approval_terms/{old.pk}").content.decode()
    assert 'name="has_signed_terms"' not in browser.get("approval_terms").content.decode()
    browser.get("approval_terms/999999999999999999999999999999", status=404)
    answer = browser.post("approval_terms", 302, terms_id=new.pk, has_signed_terms="on")
    assert "/login" in answer["Location"]


def test_terms_whose_file_is_gone_are_unavailable(browser: Browser) -> None:
    ApprovalTerms.objects.create(date=clock.now(), location="/nothing/here", text="")
    browser.get("approval_terms", status=503)


def test_next_leads_nowhere_else(maria: Browser) -> None:
    row = add_terms()
    answer = maria.post(
        "approval_terms", terms_id=row.pk, has_signed_terms="on", next="https://evil.example/"
    )
    assert answer["Location"] == f"{UI}/landing"


def test_sign_up_asks_for_the_terms(browser: Browser) -> None:
    add_terms()
    sign_up(browser, status=422)
    sign_up(browser, has_signed_terms="on")
    assert not terms.unsigned_terms(User.objects.get())


# -- feedback and invitations ------------------------------------------------------------------------------


class DownBackend(EmailBackend):
    """A mail server that does not answer."""

    def send_messages(self, messages: Any) -> int:
        raise ConnectionRefusedError


def test_feedback_reaches_the_helpdesk_or_stays_in_the_form(
    maria: Browser, settings: Settings, user: Person
) -> None:
    settings.HELPDESK = [("Help", "help@lab.example")]
    page = maria.get("feedback?from=/cyclades/ui/machines").content.decode()
    assert "/cyclades/ui/machines" in page
    maria.post("feedback", 422, feedback_msg=" ")
    settings.EMAIL_BACKEND = f"{__name__}.DownBackend"
    answer = maria.post("feedback", 503, feedback_msg="It is slow", feedback_data="d")
    assert "It is slow" in answer.content.decode()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    maria.post("feedback", feedback_msg="It is slow", feedback_data="d")
    (message,) = mail.outbox
    assert message.to == ["help@lab.example"]
    assert user.uuid in message.body


def test_feedback_is_for_users(browser: Browser) -> None:
    browser.get("feedback", status=302)


def test_invitations_page(maria: Browser, user: Person, mailed: Mailed, settings: Settings) -> None:
    maria.get("invite", status=404)
    settings.ASTAKOS_INVITATIONS_ENABLED = True
    User.objects.update(invitations=1)
    maria.get("invite")
    maria.post("invite", 422, realname="Nina", username="nonsense")
    text = mailed(lambda: maria.post("invite", realname="Nina New", username=EMAIL))
    page = Page(maria.get("invite").content.decode()).text
    assert "no invitations left" in page
    assert EMAIL in page
    maria.post("invite", 403, realname="B", username="b@lab.example")
    link = link_in(text, r"signup\?code=[\w-]+")
    form = Browser().get(link).content.decode()
    assert f'value="{EMAIL}"' in form
    assert invitations.overview(user_id=user.row.pk).remaining == 0


def test_answers_in_greek(browser: Browser) -> None:
    browser.client.cookies["ui_prefs"] = '{"language": "el"}'
    browser.get("signup")


def test_captcha_script_is_shipped() -> None:
    import astakos

    assert (Path(astakos.__file__).parent / "static/astakos/captcha.js").is_file()
