"""What an external login leads to (identity contract 4.5, outcome table)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from astakos.logic import third_party
from astakos.logic.external_identity import ExternalIdentity, mapped_fields, text_of
from astakos.logic.third_party import Kind
from astakos.models import PendingThirdPartyUser, User, UserAuthProvider
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, NotFound
from tests.astakos.conftest import MakeUser

pytestmark = pytest.mark.db
ADMIN = Credentials.administrator()


@pytest.fixture(autouse=True)
def _modules(settings: Any) -> None:
    settings.ASTAKOS_IM_MODULES = ["local", "google", "ldap"]


@pytest.fixture
def maria(make_user: MakeUser) -> User:
    return make_user().row


@pytest.fixture
def other(make_user: MakeUser) -> User:
    user = make_user("other@lab.example").row
    give(user)
    return user


def give(user: User, identifier: str = "g1", module: str = "google") -> UserAuthProvider:
    return UserAuthProvider.objects.create(
        user=user, module=module, identifier=identifier, created=clock.now()
    )


def google(identifier: str = "g1", **values: Any) -> ExternalIdentity:
    return ExternalIdentity(module="google", identifier=identifier, **values)


def test_a_known_person_logs_in(other: User) -> None:
    found = third_party.resolve(google())
    assert (found.kind, found.user) == (Kind.LOG_IN, other)


def test_a_deactivated_person_does_not(other: User) -> None:
    User.objects.filter(pk=other.pk).update(is_active=False)
    assert third_party.resolve(google()).kind is Kind.INACTIVE


def test_nobody_logs_in_against_the_policy(settings: Any, other: User) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_GOOGLE_LOGIN_POLICY = False
    found = third_party.resolve(google())
    assert found.kind is Kind.LOGIN_DISABLED
    assert "Google" in found.message


@pytest.mark.django_db
def test_an_unknown_person_gets_a_token_whose_digest_alone_is_stored() -> None:
    found = third_party.resolve(google(email="new@lab.example", first_name="New"))
    assert found.kind is Kind.SIGN_UP
    row = PendingThirdPartyUser.objects.get()
    assert found.token not in (row.token_digest, "") and len(found.token) > 30
    assert third_party.find_pending(token=found.token).email == "new@lab.example"


def test_an_address_never_links_an_account(maria: User) -> None:
    found = third_party.resolve(google(email=maria.email))
    assert found.kind is Kind.SIGN_UP
    assert not maria.auth_providers.filter(module="google").exists()


@pytest.mark.django_db
def test_an_unknown_person_is_turned_away_when_sign_up_is_off(settings: Any) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_GOOGLE_CREATE_POLICY = False
    assert third_party.resolve(google()).kind is Kind.CREATE_DISABLED
    assert not PendingThirdPartyUser.objects.exists()


def test_a_new_token_replaces_the_older_one(db: None) -> None:
    first = third_party.resolve(google()).token
    second = third_party.resolve(google()).token
    with pytest.raises(NotFound):
        third_party.find_pending(token=first)
    assert third_party.find_pending(token=second)


def test_a_token_ends_after_a_day(db: None) -> None:
    token = third_party.resolve(google()).token
    PendingThirdPartyUser.objects.update(created=clock.now() - dt.timedelta(hours=25))
    with pytest.raises(NotFound):
        third_party.find_pending(token=token)


def test_a_logged_in_user_adds_switches_and_meets_others(maria: User, other: User) -> None:
    assert third_party.resolve(google("g1"), visitor=maria).kind is Kind.IN_USE
    assert third_party.resolve(google("g2"), visitor=maria).kind is Kind.ADDED
    assert third_party.resolve(google("g2"), visitor=maria).kind is Kind.ALREADY_YOURS
    assert third_party.resolve(google("g3"), visitor=maria).kind is Kind.ADD_DISABLED
    maria.auth_providers.filter(module="local").delete()
    row = maria.auth_providers.get(module="google")
    assert third_party.resolve(google("g3"), visitor=maria, switch_from=row.pk).kind is Kind.SWITCHED
    assert maria.auth_providers.get().identifier == "g3"
    foreign = other.auth_providers.get(module="google")
    assert third_party.resolve(google("g4"), visitor=maria, switch_from=foreign.pk).kind is Kind.ADD_DISABLED


def test_claiming_deletes_an_account_that_was_never_verified(make_user: MakeUser) -> None:
    old = make_user("old@lab.example").row
    give(old)
    User.objects.filter(pk=old.pk).update(
        is_active=False, email_verified=False, moderated=False, base_project=None
    )
    token = third_party.resolve(google()).token
    assert third_party.claim(ADMIN, token=token).identifier == "g1"
    assert not User.objects.filter(pk=old.pk).exists()
    with pytest.raises(NotFound):
        third_party.claim(ADMIN, token=token)


def test_claiming_fails_when_the_account_got_verified_meanwhile(maria: User) -> None:
    token = third_party.resolve(google()).token
    give(maria)
    with pytest.raises(NotFound):
        third_party.claim(ADMIN, token=token)


def test_a_pending_person_may_log_in_otherwise_and_attach(maria: User) -> None:
    token = third_party.resolve(google()).token
    third_party.attach_pending(ADMIN, user_id=maria.pk, token=token)
    assert maria.auth_providers.filter(module="google", identifier="g1").exists()
    assert not PendingThirdPartyUser.objects.exists()


def test_forced_fields_are_taken_over_at_each_login(settings: Any, other: User, maria: User) -> None:
    forced = frozenset({"email", "first_name"})
    third_party.resolve(google(email="New@lab.example", first_name="Nina", last_name="N", forced=forced))
    other.refresh_from_db()
    assert (other.email, other.username, other.first_name, other.last_name) == (
        "new@lab.example", "new@lab.example", "Nina", "Doe",
    )  # fmt: skip
    third_party.resolve(google(email=maria.email, first_name="Nina", forced=forced))
    other.refresh_from_db()
    assert other.email == "new@lab.example"


def test_groups_are_mirrored(other: User) -> None:
    third_party.resolve(google(groups=("a", "b")))
    assert set(other.groups.values_list("name", flat=True)) == {"a", "b"}
    third_party.resolve(google(groups=()))
    assert not other.groups.exists()


def test_attributes_are_mapped_as_configured(settings: Any) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_LDAP_USER_ATTR_MAP = {
        "identifier": ("uid", False),
        "first_name": (lambda attributes: attributes["cn"][0].split()[0], True),
    }
    attributes = {"uid": ["mk"], "cn": ["Maria K"], "mail": ["m@lab.example", "other"]}
    assert mapped_fields("ldap", attributes) == {
        "identifier": "mk", "email": "m@lab.example", "first_name": "Maria", "last_name": "",
    }  # fmt: skip
    with pytest.raises(BadRequest, match="identifier"):
        mapped_fields("ldap", {"cn": ["Maria K"]})


def test_a_guid_is_read_as_active_directory_writes_it() -> None:
    raw = bytes.fromhex("33221100554477668899aabbccddeeff")
    assert text_of("objectGUID", [raw]) == "00112233-4455-6677-8899-aabbccddeeff"
    assert text_of("objectguid", ["abcdefghijklmnop"]) == "64636261-6665-6867-696a-6b6c6d6e6f70"
