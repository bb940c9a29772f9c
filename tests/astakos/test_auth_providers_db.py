"""Policies of login methods: settings, profiles, the account's own state (identity contract 4.5)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from astakos.logic import auth_providers, policy_profiles
from astakos.logic.auth_providers import Policies
from astakos.models import AuthProviderPolicyProfile, PendingThirdPartyUser, User, UserAuthProvider
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import Conflict, Forbidden, NotFound
from tests.astakos.conftest import MakeUser

pytestmark = pytest.mark.db
ADMIN = Credentials.administrator()
ALL = ["local", "shibboleth", "ldap", "google", "twitter", "linkedin", "oidc", "saml"]


@pytest.fixture(autouse=True)
def _modules(settings: Any) -> None:
    settings.ASTAKOS_IM_MODULES = ALL


@pytest.fixture
def maria(make_user: MakeUser) -> User:
    return make_user().row


def policies(module: str, user: User | None = None) -> Policies:
    return auth_providers.provider(module, user=user).policy


def give(user: User, module: str, identifier: str = "", **values: Any) -> UserAuthProvider:
    return UserAuthProvider.objects.create(
        user=user, module=module, identifier=identifier, created=clock.now(), **values
    )


def profile(
    name: str, provider: str, user: User | None = None, group: Group | None = None, **values: Any
) -> None:
    row = AuthProviderPolicyProfile.objects.create(name=name, provider=provider, **values)
    if user:
        row.users.add(user)
    if group:
        row.groups.add(group)


def test_the_order_of_the_setting_is_the_order_of_the_methods(settings: Any) -> None:
    settings.ASTAKOS_IM_MODULES = ["google", "local"]
    found = auth_providers.enabled()
    assert [(item.module, item.is_primary) for item in found] == [("google", True), ("local", False)]


def test_an_unknown_module_is_a_configuration_error(settings: Any) -> None:
    settings.ASTAKOS_IM_MODULES = ["local", "telepathy"]
    with pytest.raises(ValueError, match="telepathy"):
        auth_providers.enabled()


@pytest.mark.parametrize("module", ALL)
def test_defaults_of_every_module(module: str) -> None:
    found = policies(module)
    expected = {
        "login": True, "create": True, "add": True, "remove": True, "limit": 1, "required": False,
        "switch": module not in ("local", "shibboleth", "ldap"), "autoverify": False, "automoderate": False,
        "add_groups": (), "creation_groups": (), "mirror_groups": False,
    }  # fmt: skip
    assert {field.name: getattr(found, field.name) for field in fields(found)} == expected


@pytest.mark.parametrize("policy", [field.name for field in fields(Policies)])
def test_the_modules_setting_wins_over_the_common_one_which_wins_over_the_default(
    settings: Any, policy: str
) -> None:
    values: tuple[Any, Any] = (True, False)
    if policy == "limit":
        values = (7, 8)
    elif policy in ("add_groups", "creation_groups"):
        values = (["one"], ["two"])
    setattr(settings, f"ASTAKOS_AUTH_PROVIDERS_{policy.upper()}_POLICY", values[0])
    setattr(settings, f"ASTAKOS_AUTH_PROVIDER_GOOGLE_{policy.upper()}_POLICY", values[1])
    stored = [tuple(value) if isinstance(value, list) else value for value in values]
    assert getattr(policies("ldap"), policy) == stored[0]
    assert getattr(policies("google"), policy) == stored[1]


def test_automoderation_is_the_default_when_nobody_moderates(settings: Any) -> None:
    settings.ASTAKOS_MODERATION_ENABLED = False
    assert policies("local").automoderate


@pytest.mark.parametrize(
    ("name", "value"),
    [("add", False), ("remove", False), ("create", False), ("login", False), ("limit", 3), ("required", True),
     ("automoderate", True)],
)  # fmt: skip
def test_a_profile_replaces_a_setting_for_its_users_only(
    make_user: MakeUser, maria: User, name: str, value: Any
) -> None:
    other = make_user("other@lab.example").row
    give(maria, "google", "1")
    profile("p", "ldap", user=maria, **{f"policy_{name}": value})
    assert getattr(policies("ldap", maria), name) == value
    assert getattr(policies("ldap", other), name) != value or name == "remove"
    assert getattr(policies("oidc", maria), name) == getattr(policies("oidc"), name)


def test_an_exclusive_profile_is_about_all_other_methods(maria: User) -> None:
    profile("only ldap", "ldap", user=maria, is_exclusive=True, policy_login=False)
    assert {module: policies(module, maria).login for module in ALL} == {
        module: module == "ldap" for module in ALL
    }


def test_groups_come_after_users_and_high_priority_after_low(maria: User) -> None:
    group = Group.objects.create(name="staff")
    maria.groups.add(group)
    profile("user late", "ldap", user=maria, policy_limit=2, priority=20)
    profile("user early", "ldap", user=maria, policy_limit=3, priority=10)
    assert policies("ldap", maria).limit == 2
    profile("group late", "ldap", group=group, policy_limit=4, priority=2)
    profile("group early", "ldap", group=group, policy_limit=5, priority=1)
    assert policies("ldap", maria).limit == 4


def test_an_inactive_profile_says_nothing(maria: User) -> None:
    profile("off", "ldap", user=maria, policy_login=False, active=False)
    assert policies("ldap", maria).login


def test_a_reached_limit_forbids_adding_and_leaves_switching(maria: User) -> None:
    give(maria, "google", "1")
    found = policies("google", maria)
    assert (found.add, found.remove, found.switch) == (False, True, False)
    maria.auth_providers.filter(module="local").delete()
    found = policies("google", maria)
    assert (found.add, found.remove, found.switch) == (False, False, True)


def test_the_last_active_method_cannot_be_removed(maria: User) -> None:
    give(maria, "google", "1", active=False)
    with pytest.raises(Forbidden):
        auth_providers.remove_method(
            ADMIN, method_id=maria.auth_providers.get(module="local").pk, user_id=maria.pk
        )


def test_adding_and_removing_a_method_changes_its_groups(settings: Any, maria: User) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_GOOGLE_ADD_GROUPS_POLICY = ["googlers", "shared"]
    settings.ASTAKOS_AUTH_PROVIDER_LDAP_ADD_GROUPS_POLICY = ["shared"]
    auth_providers.add_method(ADMIN, user_id=maria.pk, module="ldap", identifier="l")
    row = auth_providers.add_method(ADMIN, user_id=maria.pk, module="google", identifier="g")
    assert set(maria.groups.values_list("name", flat=True)) == {"googlers", "shared"}
    auth_providers.remove_method(ADMIN, method_id=row.pk, user_id=maria.pk)
    assert set(maria.groups.values_list("name", flat=True)) == {"shared"}


def test_removing_the_local_method_makes_the_password_unusable(maria: User) -> None:
    give(maria, "google", "1")
    local = maria.auth_providers.get(module="local")
    assert auth_providers.remove_method(ADMIN, method_id=local.pk, user_id=maria.pk) == "local"
    maria.refresh_from_db()
    assert not maria.has_usable_password()


def test_an_identifier_belongs_to_one_verified_user(make_user: MakeUser, maria: User) -> None:
    other = make_user("other@lab.example").row
    give(other, "google", "1")
    with pytest.raises(Conflict):
        auth_providers.add_method(ADMIN, user_id=maria.pk, module="google", identifier="1")
    User.objects.filter(pk=other.pk).update(is_active=False, email_verified=False)
    auth_providers.add_method(ADMIN, user_id=maria.pk, module="google", identifier="1")


def test_adding_against_the_policy_is_refused(settings: Any, maria: User) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_GOOGLE_ADD_POLICY = False
    with pytest.raises(Forbidden):
        auth_providers.add_method(ADMIN, user_id=maria.pk, module="google", identifier="1")


def test_a_method_of_somebody_else_is_not_found(make_user: MakeUser, maria: User) -> None:
    other = make_user("other@lab.example").row
    row = give(other, "google", "1")
    with pytest.raises(NotFound):
        auth_providers.remove_method(ADMIN, method_id=row.pk, user_id=maria.pk)
    with pytest.raises(NotFound):
        auth_providers.switch_method(ADMIN, method_id=row.pk, user_id=maria.pk, identifier="2")


def test_switching_keeps_the_row_and_replaces_the_identifier(maria: User) -> None:
    maria.auth_providers.all().delete()
    row = give(maria, "google", "1")
    auth_providers.switch_method(ADMIN, method_id=row.pk, user_id=maria.pk, identifier="2")
    row.refresh_from_db()
    assert row.identifier == "2"


def test_the_profile_page_has_three_lists(settings: Any, maria: User, django_assert_num_queries: Any) -> None:
    give(maria, "google", "1", info_data={"email": "m@gmail.example"})
    give(maria, "ldap", "2")
    settings.ASTAKOS_IM_MODULES = ["local", "google", "oidc"]
    with django_assert_num_queries(3):
        found = auth_providers.user_methods(maria)
    assert [method.provider.module for method in found.enabled] == ["local", "google"]
    assert found.enabled[1].details == "m@gmail.example"
    assert [method.provider.module for method in found.disabled] == ["ldap"]
    assert [item.module for item in found.available] == ["oidc"]


def test_a_required_method_is_missed_until_it_is_there(settings: Any, maria: User) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_LDAP_REQUIRED_POLICY = True
    assert [item.module for item in auth_providers.missing_required(maria)] == ["ldap"]
    give(maria, "ldap", "x")
    assert auth_providers.missing_required(maria) == []


def test_texts_come_from_the_settings_with_their_fields(settings: Any) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_LDAP_TITLE = "Campus"
    settings.ASTAKOS_AUTH_PROVIDER_LDAP_LOGIN_PROMPT = "{title} at {service} {unknown} {title.__class__}"
    found = auth_providers.provider("ldap")
    assert found.title == "Campus"
    assert found.login_prompt == f"Campus at {settings.BRANDING_SERVICE_NAME} {{unknown}} {{title.__class__}}"


# -- commands ----------------------------------------------------------------------------------------------


def test_a_profile_is_made_assigned_shown_and_removed(maria: User, capsys: Any) -> None:
    call_command(
        "authpolicy-add", "p", "ldap", "--exclusive", "--login-policy", "False", "--limit-policy", "2"
    )
    group = Group.objects.create(name="staff")
    call_command("authpolicy-set", "p", "--user", str(maria.pk), "--group", str(group.pk))
    call_command("authpolicy-list", "--output-format", "json")
    call_command("authpolicy-show", "p")
    output = capsys.readouterr().out
    assert "login: False, limit: 2" in output
    assert "maria@lab.example" in output and "staff" in output
    assert not policies("google", maria).login
    call_command("authpolicy-set", "p")
    assert policies("google", maria).login
    assert User.objects.filter(pk=maria.pk).exists() and Group.objects.filter(name="staff").exists()
    call_command("authpolicy-remove", "p")
    assert not AuthProviderPolicyProfile.objects.exists()


@pytest.mark.django_db
def test_an_update_merges_policies_and_overwrites_the_rest() -> None:
    call_command(
        "authpolicy-add", "p", "ldap", "--exclusive", "--login-policy", "False", "--add-policy", "False"
    )
    call_command("authpolicy-add", "p", "google", "--update", "--unset-login-policy", "--limit-policy", "4")
    row = AuthProviderPolicyProfile.objects.get()
    assert (row.provider, row.is_exclusive) == ("google", False)
    assert policy_profiles.policies_of(row) == {"add": False, "limit": 4}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["p", "ldap"], "already"),
        (["q", "ldap", "--update"], "no policy profile"),
        (["q", "telepathy"], "no login method"),
        (["q", "ldap", "--limit-policy", "-1"], "limit"),
        (["q", "ldap", "--unset-add-policy"], "--update"),
    ],
)
@pytest.mark.django_db
def test_a_wrong_profile_is_refused(arguments: list[str], text: str) -> None:
    call_command("authpolicy-add", "p", "ldap")
    with pytest.raises(CommandError, match=text):
        call_command("authpolicy-add", *arguments)


@pytest.mark.django_db
def test_a_profile_of_unknown_users_is_refused() -> None:
    call_command("authpolicy-add", "p", "ldap")
    with pytest.raises(CommandError, match="no user with the id 99"):
        call_command("authpolicy-set", "p", "--user", "99")
    assert not PendingThirdPartyUser.objects.exists()
