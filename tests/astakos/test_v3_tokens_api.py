"""The Keystone v3 dialect: making, validating and revoking tokens."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import Group
from pytest_django import DjangoAssertNumQueries, Settings

from astakos import public
from astakos.models import (
    ApprovalTerms,
    MembershipState,
    Passkey,
    Project,
    ProjectMembership,
    ScopedToken,
    User,
)
from synnefo import clock
from synnefo.errors import BadRequest
from tests.astakos.conftest import Api, MakeUser, Person
from tests.astakos.v3_requests import (
    SUBJECT,
    TOKENS,
    credential_auth,
    issued,
    password_auth,
    quota_status,
    refused,
    team,  # noqa: F401  (fixtures)
    token_auth,
)

pytestmark = [pytest.mark.db, pytest.mark.django_db]


# -- what proves a user ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["name", "id"])
def test_a_users_token_is_a_password_for_uuid_and_address(user: Person, anonymous: Api, key: str) -> None:
    _, token = issued(anonymous, password_auth(user.uuid, user.token, key=key))
    assert token["user"]["id"] == user.uuid
    assert issued(anonymous, password_auth("Maria@lab.example", user.token))[1]["methods"] == ["password"]


def test_the_answer_has_project_roles_times_and_catalog(service: Api, user: Person, anonymous: Api) -> None:
    group = Group.objects.create(name="helpdesk")
    user.row.groups.add(group)
    clear, token = issued(anonymous, password_auth(user.uuid, user.token))
    assert clear.startswith("v3.")
    domain = {"id": "default", "name": "Default"}
    assert token["project"] == {"id": user.uuid, "name": f"system:{user.uuid}", "domain": domain}
    assert token["user"]["name"] == "maria@lab.example"
    assert [role["name"] for role in token["roles"]] == ["member", "helpdesk"]
    assert token["expires_at"].endswith("Z") and len(token["audit_ids"]) == 1
    compute = token["catalog"][0]
    assert (compute["name"], compute["type"]) == ("demo_compute", "compute")
    assert [endpoint["interface"] for endpoint in compute["endpoints"]] == ["public", "internal", "admin"]
    assert {endpoint["url"] for endpoint in compute["endpoints"]} == {"http://testserver/demo/compute/v2.0"}
    assert {endpoint["region_id"] for endpoint in compute["endpoints"]} == {"default"}


def test_the_web_password_counts_where_the_site_allows_it(
    user: Person, anonymous: Api, settings: Settings
) -> None:
    body = password_auth("maria@lab.example", "a-password")
    assert issued(anonymous, body)[1]["user"]["id"] == user.uuid
    settings.ASTAKOS_V3_PASSWORD_POLICY = "token"
    assert anonymous.post(TOKENS, body).status_code == 401


def test_a_web_password_alone_is_not_enough_with_a_second_factor(user: Person, anonymous: Api) -> None:
    Passkey.objects.create(user=user.row, name="k", credential_id="c", public_key="p", created=clock.now())
    code, message = refused(anonymous.post(TOKENS, password_auth("maria@lab.example", "a-password")))
    assert code == 401 and "second factor" in message
    issued(anonymous, password_auth("maria@lab.example", user.token))


def test_unknown_users_and_wrong_passwords_get_the_same_answer(user: Person, anonymous: Api) -> None:
    answers = {
        refused(anonymous.post(TOKENS, password_auth(name, "wrong")))
        for name in ("maria@lab.example", "nobody@lab.example", user.uuid, "no-uuid", "")
    }
    assert answers == {(401, "The request you have made requires authentication.")}


@pytest.mark.usefixtures("one_period")
def test_guessing_is_slowed_down_by_name(user: Person, anonymous: Api, settings: Settings) -> None:
    settings.ASTAKOS_RATELIMIT_RETRIES_ALLOWED = 3
    body = password_auth("maria@lab.example", "wrong")
    statuses = [anonymous.post(TOKENS, body, REMOTE_ADDR=f"10.0.0.{n}").status_code for n in range(3)]
    assert statuses == [401, 401, 429]
    issued(anonymous, password_auth("maria@lab.example", user.token))


@pytest.mark.usefixtures("one_period")
def test_guessing_secrets_of_credentials_is_slowed_down_by_address(
    anonymous: Api, settings: Settings
) -> None:
    settings.ASTAKOS_V3_FAILURES_PER_MINUTE = 2
    body = credential_auth("no-such-id", "a-wrong-secret-of-nobody")
    assert [anonymous.post(TOKENS, body).status_code for _ in range(3)] == [401, 401, 429]


def test_who_knows_the_password_learns_the_state_of_the_account(user: Person, anonymous: Api) -> None:
    User.objects.filter(uuid=user.uuid).update(is_active=False)
    code, message = refused(anonymous.post(TOKENS, password_auth("maria@lab.example", "a-password")))
    assert code == 401
    assert message != "The request you have made requires authentication."


def test_a_foreign_token_or_a_scoped_one_is_no_password(
    user: Person, make_user: MakeUser, anonymous: Api
) -> None:
    other = make_user("joe@lab.example")
    scoped, _ = issued(anonymous, token_auth(user.token))
    for password in (other.token, scoped):
        assert anonymous.post(TOKENS, password_auth(user.uuid, password)).status_code == 401


def test_another_domain_is_another_cloud(user: Person, anonymous: Api) -> None:
    body = password_auth("maria@lab.example", user.token)
    body["auth"]["identity"]["password"]["user"]["domain"] = {"name": "heat"}
    assert anonymous.post(TOKENS, body).status_code == 401


def test_several_methods_must_prove_the_same_user(user: Person, make_user: MakeUser, anonymous: Api) -> None:
    other = make_user("joe@lab.example")
    body = password_auth(user.uuid, user.token)
    body["auth"]["identity"] |= {"methods": ["password", "token"], "token": {"id": other.token}}
    assert anonymous.post(TOKENS, body).status_code == 401
    body["auth"]["identity"]["token"] = {"id": user.token}
    assert issued(anonymous, body)[1]["methods"] == ["password", "token"]


@pytest.mark.parametrize(
    "body",
    [
        "[1]", "{}", '{"auth": null}', '{"auth": {"identity": []}}',
        '{"auth": {"identity": {"methods": []}}}',
        '{"auth": {"identity": {"methods": [1]}}}', '{"auth": {"identity": {"methods": ["token"]}}}',
        '{"auth": {"identity": {"methods": ["token"], "token": {"id": 7}}}}',
        '{"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "x"}}}}}',
        '{"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}}}',
        '{"auth": {"identity": {"methods": ["application_credential"], "application_credential": {}}}}',
    ],
)  # fmt: skip
def test_malformed_requests_are_bad_requests(anonymous: Api, body: str) -> None:
    assert refused(anonymous.post(TOKENS, body))[0] == 400


def test_other_methods_are_refused(anonymous: Api) -> None:
    body = {"auth": {"identity": {"methods": ["saml2"], "saml2": {}}}}
    assert refused(anonymous.post(TOKENS, body))[0] == 401


# -- scopes ----------------------------------------------------------------------------------------------


def test_a_token_for_a_project_charges_that_project(user: Person, team: Project, anonymous: Api) -> None:
    for project in ({"id": team.uuid}, {"name": "team.lab.example", "domain": {"id": "default"}}):
        clear, token = issued(anonymous, token_auth(user.token, {"project": project}))
        assert token["project"]["id"] == team.uuid
        credentials = public.authenticate(clear)
        assert credentials.default_project == team.uuid
        assert credentials.projects == {user.uuid, team.uuid}


def test_a_foreign_project_is_refused(user: Person, make_user: MakeUser, anonymous: Api) -> None:
    other = make_user("joe@lab.example")
    for project in ({"id": other.uuid}, {"name": "nothing", "domain": {"id": "default"}}):
        assert anonymous.post(TOKENS, token_auth(user.token, {"project": project})).status_code == 401


def test_an_unscoped_token_has_neither_project_nor_catalog(user: Person, anonymous: Api) -> None:
    scopes: tuple[object, ...] = ("unscoped", {"unscoped": {}})
    for scope in scopes:
        clear, token = issued(anonymous, token_auth(user.token, scope))
        assert not {"project", "catalog", "roles"} & set(token)
        assert public.authenticate(clear).default_project == user.uuid


@pytest.mark.parametrize("scope", [{"domain": {"id": "default"}}, {"system": {"all": True}}])
def test_domains_and_the_system_are_no_scopes(user: Person, anonymous: Api, scope: object) -> None:
    assert refused(anonymous.post(TOKENS, token_auth(user.token, scope)))[0] == 401


def test_rescoping_does_not_prolong(user: Person, team: Project, anonymous: Api) -> None:
    first, before = issued(anonymous, token_auth(user.token))
    _, after = issued(anonymous, token_auth(first, {"project": {"id": team.uuid}}))
    assert after["expires_at"] == before["expires_at"]


def test_no_token_outlives_the_users_own(user: Person, anonymous: Api) -> None:
    soon = clock.now() + dt.timedelta(minutes=5)
    User.objects.update(auth_token_expires=soon)
    issued(anonymous, password_auth(user.uuid, user.token))
    assert ScopedToken.objects.get().expires == soon


# -- what ends a token -----------------------------------------------------------------------------------


def test_a_scoped_token_works_everywhere_in_one_query(
    user: Person, anonymous: Api, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    clear, _ = issued(anonymous, token_auth(user.token))
    with django_assert_num_queries(1):
        public.authenticate(clear)
    assert quota_status(anonymous, clear) == 200
    access = anonymous.post("identity/v2.0/tokens", {"auth": {"token": {"id": clear}}}).json()["access"]
    assert access["token"]["id"] == clear


def test_revoked_expired_renewed_and_deactivated_tokens_are_dead(user: Person, anonymous: Api) -> None:
    changes = [
        lambda token: anonymous.call("DELETE", TOKENS, headers={"X-Auth-Token": user.token, SUBJECT: token}),
        lambda _: ScopedToken.objects.update(expires=clock.now()),
        lambda _: User.objects.filter(uuid=user.uuid).update(is_active=False),
        lambda _: User.objects.filter(uuid=user.uuid).update(auth_token_digest="0" * 64),
    ]
    tokens = [issued(anonymous, token_auth(user.token))[0] for _ in changes]
    for token, change in zip(tokens, changes, strict=True):
        assert quota_status(anonymous, token) == 200
        change(token)
        assert quota_status(anonymous, token) == 401
        User.objects.filter(uuid=user.uuid).update(is_active=True)
        ScopedToken.objects.filter(expires__lte=clock.now()).update(
            expires=clock.now() + dt.timedelta(hours=1)
        )


def test_leaving_the_project_ends_its_tokens(user: Person, team: Project, anonymous: Api) -> None:
    clear, _ = issued(anonymous, token_auth(user.token, {"project": {"id": team.uuid}}))
    ProjectMembership.objects.filter(project=team).update(state=MembershipState.REMOVED)
    assert quota_status(anonymous, clear) == 401


def test_unsigned_terms_stop_tokens_too(user: Person, anonymous: Api) -> None:
    clear, _ = issued(anonymous, token_auth(user.token))
    ApprovalTerms.objects.create(date=clock.now(), location="x")
    User.objects.update(has_signed_terms=False)
    assert quota_status(anonymous, clear) == 401


def test_expired_tokens_are_swept_at_the_next_login(user: Person, anonymous: Api) -> None:
    issued(anonymous, token_auth(user.token))
    ScopedToken.objects.update(expires=clock.now())
    issued(anonymous, token_auth(user.token))
    assert ScopedToken.objects.count() == 1


def test_chosen_tokens_must_not_look_like_scoped_ones(make_user: MakeUser) -> None:
    with pytest.raises(BadRequest):
        make_user("joe@lab.example", token="v3." + "x" * 40)


# -- validating ------------------------------------------------------------------------------------------


def test_a_token_validates_itself_in_one_query(
    service: Api, user: Person, anonymous: Api, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    clear, token = issued(anonymous, token_auth(user.token))
    headers = {"X-Auth-Token": clear, SUBJECT: clear}
    with django_assert_num_queries(1):
        response = anonymous.get(TOKENS, headers=headers)
    assert response.json()["token"] == token
    assert response[SUBJECT] == clear
    assert anonymous.call("HEAD", TOKENS, headers=headers).status_code == 200
    assert "catalog" not in anonymous.get(f"{TOKENS}?nocatalog", headers=headers).json()["token"]


def test_who_may_look_at_a_token(
    service: Api, user: Person, make_user: MakeUser, anonymous: Api, settings: Settings
) -> None:
    settings.ASTAKOS_ADMIN_API_PERMITTED_GROUPS = ["admin-api"]
    admin, stranger = make_user("admin@lab.example"), make_user("joe@lab.example")
    admin.row.groups.add(Group.objects.create(name="admin-api"))
    clear, _ = issued(anonymous, token_auth(user.token))
    statuses = {
        name: anonymous.get(TOKENS, headers={"X-Auth-Token": str(token), SUBJECT: clear}).status_code
        for name, token in {
            "owner": user.token, "component": service.token, "admin": admin.token,
            "stranger": stranger.token, "nobody": "x" * 20,
        }.items()
    }  # fmt: skip
    assert statuses == {"owner": 200, "component": 200, "admin": 200, "stranger": 403, "nobody": 401}


def test_unknown_subjects_are_not_found(user: Person) -> None:
    assert refused(user.api.get(TOKENS, headers={SUBJECT: "v3.unknown"}))[0] == 404
    assert refused(user.api.get(TOKENS))[0] == 404


def test_a_users_own_token_is_not_revoked_here(user: Person) -> None:
    response = user.api.call("DELETE", TOKENS, headers={SUBJECT: user.token})
    assert refused(response)[0] == 403
    assert user.api.get("account/v1.0/quotas").status_code == 200


def test_making_a_token_needs_few_queries(
    service: Api, user: Person, anonymous: Api, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    issued(anonymous, token_auth(user.token))
    with django_assert_num_queries(4):
        issued(anonymous, password_auth(user.uuid, user.token))
