"""Signing up, and every account state against every transition (identity contract 4.2, 4.3)."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection
from django.utils import translation
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from astakos.logic import accounts, invitations, signup, terms, third_party, users
from astakos.logic.external_identity import ExternalIdentity
from astakos.logic.signup import Outcome, SignUpResult
from astakos.models import (
    ApprovalTerms,
    Invitation,
    OAuth2Client,
    OAuth2Token,
    QueuedMail,
    SessionCatalog,
    User,
)
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound
from tests.astakos.conftest import MakeUser
from tests.markers import needs_postgres

pytestmark = [pytest.mark.db, pytest.mark.django_db]
STAFF = Credentials.administrator()
EMAIL = "nina@lab.example"


def sign_up(email: str = EMAIL, **fields: Any) -> SignUpResult:
    values = {
        "module": "local",
        "first_name": "Nina",
        "last_name": "New",
        "password": "long-enough-1",
        **fields,
    }
    return signup.sign_up(email=email, **values)


def user_of(result: SignUpResult) -> User:
    assert result.user is not None
    return User.objects.get(pk=result.user.pk)


# -- the state machine -------------------------------------------------------------------------------------

#: (verified, moderated, rejected, active) -> state -> what follows from each transition; None: refused.
STATES: dict[str, tuple[bool, bool, bool, bool]] = {
    "unverified": (False, False, False, False),
    "moderated before": (False, True, False, False),
    "rejected before": (False, True, True, False),
    "pending": (True, False, False, False),
    "rejected": (True, True, True, False),
    "active": (True, True, False, True),
    "inactive": (True, True, False, False),
}
TABLE: dict[str, dict[str, str]] = {
    "unverified": {"send_verification": "unverified", "verify": "pending", "delete": "deleted"},
    "moderated before": {"send_verification": "moderated before", "verify": "active", "delete": "deleted"},
    "rejected before": {"send_verification": "rejected before", "verify": "rejected", "delete": "deleted"},
    "pending": {"accept": "active", "reject": "rejected", "delete": "deleted"},
    "rejected": {"accept": "active", "delete": "deleted"},
    "active": {"deactivate": "inactive"},
    "inactive": {"activate": "active", "deactivate": "inactive"},
}


def state_of(user: User) -> str:
    row = User.objects.filter(pk=user.pk).first()
    if row is None:
        return "deleted"
    flags = (row.email_verified, row.moderated, row.is_rejected, row.is_active)
    return next(name for name, values in STATES.items() if values == flags)


def user_in(state: str) -> User:
    user = user_of(sign_up())
    verified, moderated, rejected, active = STATES[state]
    if active or state == "inactive":
        accounts.verify(STAFF, user_id=user.pk)
        accounts.accept(STAFF, user_id=user.pk)
        if not active:
            accounts.deactivate(STAFF, user_id=user.pk)
    User.objects.filter(pk=user.pk).update(
        email_verified=verified, moderated=moderated, is_rejected=rejected, is_active=active
    )
    return User.objects.get(pk=user.pk)


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("transition", sorted(accounts.TRANSITIONS))
def test_every_state_meets_every_transition(state: str, transition: str) -> None:
    user = user_in(state)
    wanted = TABLE[state].get(transition)
    try:
        getattr(accounts, transition)(STAFF, user_id=user.pk)
    except Exception as error:
        assert wanted is None, error
        assert "Cannot" in str(error)
        assert state_of(user) == state
    else:
        assert state_of(user) == wanted


@pytest.mark.parametrize("state", TABLE)
def test_a_new_sign_up_replaces_only_who_never_verified(state: str) -> None:
    old = user_in(state)
    result = sign_up(first_name="Other")
    if STATES[state][0]:
        assert (result.user, result.outcome) == (None, Outcome.ADDRESS_IN_USE)
        assert state_of(old) == state
    else:
        assert result.outcome == Outcome.PENDING_VERIFICATION
        assert state_of(old) == "deleted"
        assert User.objects.get().first_name == "Other"


@pytest.mark.parametrize("state", TABLE)
def test_the_link_of_the_mail_verifies_once(state: str) -> None:
    user = user_in(state)
    if STATES[state][0]:
        with pytest.raises(NotFound):
            accounts.verify_by_code(code=user.verification_code or "")
        return
    accounts.verify_by_code(code=user.verification_code or "")
    with pytest.raises(NotFound):
        accounts.verify_by_code(code=user.verification_code or "")


@pytest.mark.parametrize("code", ["", "x", "\0", "é", "a" * 65])
def test_unknown_codes_are_not_found(db: None, code: str) -> None:
    with pytest.raises(NotFound):
        accounts.verify_by_code(code=code)


# -- automatic acceptance ----------------------------------------------------------------------------------


def verified_policy() -> tuple[bool, str]:
    user = accounts.verify_by_code(code=user_of(sign_up()).verification_code or "")
    return user.is_active, user.accepted_policy


def test_policies_that_accept(settings: Settings) -> None:
    assert verified_policy() == (False, "")
    User.objects.all().delete()
    settings.ASTAKOS_AUTH_PROVIDER_LOCAL_AUTOMODERATE_POLICY = True
    assert verified_policy() == (True, "auth_provider_local")


def test_address_pattern_comes_before_the_provider(settings: Settings) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_LOCAL_AUTOMODERATE_POLICY = True
    settings.ASTAKOS_RE_USER_EMAIL_PATTERNS = [r"nina@"]
    assert verified_policy() == (True, "email")


def test_without_moderation_everybody_gets_in(settings: Settings) -> None:
    settings.ASTAKOS_MODERATION_ENABLED = False
    assert verified_policy() == (True, "auto_moderation")


def test_trusted_method_needs_no_mail(settings: Settings) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_LOCAL_AUTOVERIFY_POLICY = True
    settings.ASTAKOS_AUTH_PROVIDER_LOCAL_CREATION_GROUPS_POLICY = ["newcomers"]
    result = sign_up()
    assert result.outcome == Outcome.PENDING_MODERATION
    assert list(user_of(result).groups.values_list("name", flat=True)) == ["newcomers"]
    settings.ASTAKOS_MODERATION_ENABLED = False
    assert sign_up("b@lab.example").outcome == Outcome.ACTIVE


def test_nobody_signs_up_against_the_policy(settings: Settings) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_LOCAL_CREATE_POLICY = False
    with pytest.raises(Forbidden):
        sign_up()


# -- what a sign-up leaves ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "nonsense"},
        {"first_name": ""},
        {"last_name": "x" * 31},
        {"first_name": "a\nb"},
        {"password": ""},
        {"password": "short"},
        {"password": "nina@lab.example"},
        {"password": "password123"},
        {"module": "local", "third_party_token": "x"},
    ],
)
def test_unusable_fields_are_refused(db: None, fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        sign_up(**fields)
    assert not User.objects.exists()


def test_terms_must_be_accepted_and_the_version_is_kept(db: None) -> None:
    row = ApprovalTerms.objects.create(date=clock.now(), location="/t", text="<p>Be good</p>")
    with pytest.raises(BadRequest, match="terms"):
        sign_up()
    user = user_of(sign_up(terms_signed=True))
    assert (user.has_signed_terms, user.signed_terms_id) == (True, row.pk)


def test_owner_is_told_by_mail_that_the_address_is_in_use(
    make_user: MakeUser, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    make_user("nina@lab.example")
    with django_capture_on_commit_callbacks(execute=True):
        sign_up("NINA@lab.example")
    (message,) = mail.outbox
    assert message.to == ["nina@lab.example"]
    assert "/ui/login" in message.body


def test_person_known_elsewhere_signs_up_without_a_password(settings: Settings) -> None:
    settings.ASTAKOS_IM_MODULES = ["local", "google"]
    identity = ExternalIdentity(module="google", identifier="g1", email="n@corp.example")
    token = third_party.remember(identity)
    with pytest.raises(NotFound):
        sign_up(module="google", password=None, third_party_token="wrong")
    user = user_of(sign_up(module="google", password=None, third_party_token=token))
    assert not user.has_usable_password()
    assert [str(row) for row in user.auth_providers.all()] == ["google:g1"]
    with pytest.raises(NotFound):
        sign_up("other@lab.example", module="google", password=None, third_party_token=token)


def test_token_survives_an_address_in_use(settings: Settings, make_user: MakeUser) -> None:
    settings.ASTAKOS_IM_MODULES = ["local", "google"]
    make_user(EMAIL)
    token = third_party.remember(ExternalIdentity(module="google", identifier="g1"))
    assert sign_up(module="google", password=None, third_party_token=token).outcome == Outcome.ADDRESS_IN_USE
    assert third_party.find_pending(token=token)


def test_deactivation_ends_sessions_and_tokens(make_user: MakeUser) -> None:
    user = make_user().row
    SessionCatalog.objects.create(session_key="k", user=user, created=clock.now())
    client = OAuth2Client.objects.create(name="c", identifier="c", type="public")
    OAuth2Token.objects.create(
        user=user, client=client, code_digest="d", created_at=clock.now(), expires_at=clock.now(),
        redirect_uri="x", access_token="offline",
    )  # fmt: skip
    accounts.deactivate(STAFF, user_id=user.pk, reason="left")
    assert not SessionCatalog.objects.exists()
    assert not OAuth2Token.objects.exists()


def test_rejection_is_mailed_only_where_the_site_wants_it(
    settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    for enabled in (False, True):
        settings.ASTAKOS_REJECTION_MAIL_ENABLED = enabled
        user = user_of(sign_up(f"r{enabled}@lab.example"))
        accounts.verify(STAFF, user_id=user.pk)
        QueuedMail.objects.all().delete()
        with django_capture_on_commit_callbacks(execute=True):
            accounts.reject(STAFF, user_id=user.pk, reason="not a member of the university")
    (message,) = mail.outbox
    assert message.to == ["rtrue@lab.example"]
    assert "not a member of the university" in message.body


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_namesakes_at_the_same_moment_leave_one_account() -> None:
    errors: list[Exception] = []

    def run() -> None:
        try:
            sign_up()
        except Conflict:
            pass
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert User.objects.filter(username=EMAIL).count() == 1


# -- the link once more ------------------------------------------------------------------------------------


def test_link_is_sent_again_to_who_waits_for_it(
    make_user: MakeUser, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    make_user("done@lab.example")
    waiting = user_of(sign_up())
    QueuedMail.objects.all().delete()
    references = [signup.resend_reference(name) for name in (EMAIL, "done@lab.example", "no@lab.example")]
    with django_capture_on_commit_callbacks(execute=True):
        for reference in [*references, "", "v2:nonsense", "7", "é"]:
            signup.resend_verification(reference=reference)
    (message,) = mail.outbox
    assert message.to == [EMAIL]
    code = re.search(r"auth=([\w-]+)", message.body)
    assert code and code[1] != waiting.verification_code
    with pytest.raises(NotFound):
        accounts.verify_by_code(code=waiting.verification_code or "")
    assert accounts.verify_by_code(code=code[1]).email_verified


# -- invitations -------------------------------------------------------------------------------------------


@pytest.fixture
def inviter(settings: Settings, make_user: MakeUser) -> User:
    settings.ASTAKOS_INVITATIONS_ENABLED = True
    settings.ASTAKOS_DEFAULT_USER_LEVEL = 1
    return make_user("inviter@lab.example").row


def invited_code(inviter: User, capture: DjangoCaptureOnCommitCallbacks, email: str = EMAIL) -> str:
    with capture(execute=True):
        invitations.send(
            Credentials(user_id=inviter.uuid), user_id=inviter.pk, realname="Nina New", email=email
        )
    found = re.search(r"signup\?code=([\w-]+)", mail.outbox[-1].body)
    assert found
    return found[1]


def test_guest_is_one_level_out_and_needs_no_further_mail(
    inviter: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    code = invited_code(inviter, django_capture_on_commit_callbacks)
    module, known = signup.prefilled(invitation_code=code)
    assert (module, known.email, known.first_name, known.last_name) == ("local", EMAIL, "Nina", "New")
    result = sign_up(invitation_code=code)
    user = user_of(result)
    assert result.outcome == Outcome.PENDING_MODERATION
    assert (user.email_verified, user.level, user.invitations) == (True, 2, 0)
    with pytest.raises(NotFound):
        sign_up("b@lab.example", invitation_code=code)


def test_guest_with_another_address_has_to_prove_it(
    inviter: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    code = invited_code(inviter, django_capture_on_commit_callbacks)
    assert sign_up("b@lab.example", invitation_code=code).outcome == Outcome.PENDING_VERIFICATION


def test_invitations_run_out_and_go_to_each_address_once(inviter: User) -> None:
    assert inviter.invitations == 2
    acting = Credentials(user_id=inviter.uuid)

    def invite(email: str) -> None:
        invitations.send(acting, user_id=inviter.pk, realname="N", email=email)

    invite("a@lab.example")
    with pytest.raises(Conflict):
        invite("a@lab.example")
    assert User.objects.get(pk=inviter.pk).invitations == 1
    invite("b@lab.example")
    with pytest.raises(Forbidden):
        invite("c@lab.example")
    assert invitations.overview(user_id=inviter.pk).remaining == 0
    assert len(invitations.overview(user_id=inviter.pk).sent) == Invitation.objects.count() == 2


def test_no_invitations_unless_enabled(make_user: MakeUser) -> None:
    user = make_user().row
    assert user.invitations == 0
    with pytest.raises(NotFound):
        invitations.send(STAFF, user_id=user.pk, realname="N", email="a@lab.example")
    with pytest.raises(NotFound):
        sign_up(invitation_code="x")


# -- terms of use ------------------------------------------------------------------------------------------


def test_new_terms_unsign_everybody_and_the_signed_version_is_known(
    make_user: MakeUser, tmp_path: Any
) -> None:
    user = make_user().row
    assert not terms.unsigned_terms(user)
    file = tmp_path / "terms.html"
    file.write_text("<h1>Terms</h1><script>alert(1)</script><p onclick='x()'>Be good</p>")
    first = terms.add(STAFF, path=str(file))
    user.refresh_from_db()
    assert terms.unsigned_terms(user)
    file.write_text("<p>Be better</p>")
    second = terms.add(STAFF, path=str(file))
    assert first.sha256 != second.sha256
    with pytest.raises(Conflict):
        terms.sign(STAFF, user_id=user.pk, terms_id=first.pk)
    assert terms.sign(STAFF, user_id=user.pk, terms_id=second.pk).signed_terms_id == second.pk
    shown = terms.show(terms_id=first.pk)
    assert "<h2>Terms</h2>" in shown.html
    assert "alert" not in shown.html
    assert "onclick" not in shown.html
    assert [version.id for version in shown.history] == [second.pk, first.pk]
    assert (shown.is_current, terms.show().is_current) == (False, True)


def test_groups_exist_after_sign_up_only_once(settings: Settings) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_LOCAL_ADD_GROUPS_POLICY = ["local-users"]
    sign_up()
    sign_up("b@lab.example")
    assert Group.objects.get(name="local-users").user_set.count() == 2
    assert users.catalog(emails=[EMAIL]).uuids_by_email


def test_mails_are_in_the_language_of_the_sign_up(
    db: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        with translation.override("el"):
            user = user_of(sign_up())
        accounts.verify(Credentials.administrator(), user_id=user.pk)
        accounts.accept(Credentials.administrator(), user_id=user.pk)
    subjects = [message.subject for message in mail.outbox if message.to == [user.email]]
    assert subjects == ["Επιβεβαίωση λογαριασμού στο Synnefo", "Καλώς ήρθατε στο Synnefo"]
