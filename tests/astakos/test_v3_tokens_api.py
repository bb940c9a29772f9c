"""The Keystone v3 dialect: making, validating and revoking tokens."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Group
from pytest_django import DjangoAssertNumQueries, Settings

from astakos import public
from astakos.models import (
    ApplicationCredential,
    ApprovalTerms,
    MembershipState,
    Passkey,
    Project,
    ProjectMembership,
    ProjectState,
    ScopedToken,
    User,
)
from synnefo import clock
from synnefo.errors import BadRequest, Unauthorized
from tests.astakos.conftest import Api, MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]
TOKENS = "identity/v3/auth/tokens"
SUBJECT = "X-Subject-Token"


def password_auth(name: str, password: str, scope: object = None, *, key: str = "name") -> dict[str, Any]:
    user = {key: name, "password": password}
    if key == "name":
        user["domain"] = {"id": "default"}
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": identity, **({} if scope is None else {"scope": scope})}}


def token_auth(token: str, scope: object = None) -> dict[str, Any]:
    identity = {"methods": ["token"], "token": {"id": token}}
    return {"auth": {"identity": identity, **({} if scope is None else {"scope": scope})}}


def credential_auth(uuid: str, secret: str) -> dict[str, Any]:
    part = {"id": uuid, "secret": secret}
    return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": part}}}


def issued(anonymous: Api, body: object) -> tuple[str, dict[str, Any]]:
    response = anonymous.post(TOKENS, body)
    assert response.status_code == 201, response.content
    return response[SUBJECT], response.json()["token"]


def refused(response: Any) -> tuple[int, str]:
    error = response.json()["error"]
    assert response.status_code == error["code"]
    return error["code"], error["message"]


def quota_status(anonymous: Api, token: str) -> int:
    return anonymous.get("account/v1.0/quotas", headers={"X-Auth-Token": token}).status_code


@pytest.fixture
def team(user: Person, make_user: MakeUser) -> Project:
    """An active project of somebody else in which *user* is a member."""
    owner = make_user("owner@lab.example").row
    now = clock.now()
    project = Project.objects.create(
        realname="team.lab.example", name="team.lab.example", description="A team", owner=owner,
        creation_date=now, end_date=now + dt.timedelta(days=9), state=ProjectState.ACTIVE,
        member_join_policy=1, member_leave_policy=1, limit_on_members_number=10,
    )  # fmt: skip
    ProjectMembership.objects.create(
        person=user.row, project=project, state=MembershipState.ACCEPTED, initialized=True
    )
    return project


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


def test_guessing_is_slowed_down_by_name(user: Person, anonymous: Api, settings: Settings) -> None:
    settings.ASTAKOS_RATELIMIT_RETRIES_ALLOWED = 3
    body = password_auth("maria@lab.example", "wrong")
    statuses = [anonymous.post(TOKENS, body, REMOTE_ADDR=f"10.0.0.{n}").status_code for n in range(3)]
    assert statuses == [401, 401, 429]
    issued(anonymous, password_auth("maria@lab.example", user.token))


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


# -- application credentials -----------------------------------------------------------------------------


def made(person: Person, **fields: Any) -> Any:
    path = f"identity/v3/users/{person.uuid}/application_credentials"
    body = {"application_credential": {"name": "ci", **fields}}
    return person.api.post(path, body)


def test_a_credential_logs_in_to_its_project_only(user: Person, team: Project, anonymous: Api) -> None:
    User.objects.filter(uuid=user.uuid).update(default_project=team.uuid)
    answer = made(user, description="for tests").json()["application_credential"]
    assert (answer["project_id"], answer["unrestricted"]) == (team.uuid, False)
    clear, token = issued(anonymous, credential_auth(answer["id"], answer["secret"]))
    assert token["application_credential"] == {"id": answer["id"], "restricted": True}
    assert public.authenticate(clear).projects == {team.uuid}
    assert anonymous.post(TOKENS, token_auth(clear, {"project": {"id": user.uuid}})).status_code == 401


def test_a_credential_is_found_by_name_and_owner_too(user: Person, anonymous: Api) -> None:
    secret = made(user).json()["application_credential"]["secret"]
    for owner in ({"id": user.uuid}, {"name": "maria@lab.example", "domain": {"name": "Default"}}):
        part = {"name": "ci", "secret": secret, "user": owner}
        body = {"identity": {"methods": ["application_credential"], "application_credential": part}}
        assert issued(anonymous, {"auth": body})[1]["user"]["id"] == user.uuid


def test_deleting_a_credential_ends_its_tokens(user: Person, anonymous: Api) -> None:
    answer = made(user).json()["application_credential"]
    clear, _ = issued(anonymous, credential_auth(answer["id"], answer["secret"]))
    path = f"identity/v3/users/{user.uuid}/application_credentials/{answer['id']}"
    assert user.api.call("DELETE", path).status_code == 204
    assert quota_status(anonymous, clear) == 401
    assert anonymous.post(TOKENS, credential_auth(answer["id"], answer["secret"])).status_code == 401


def test_a_restricted_credential_has_no_groups_and_makes_no_others(user: Person, anonymous: Api) -> None:
    user.row.groups.add(Group.objects.create(name="admin-api"))
    answer = made(user).json()["application_credential"]
    clear, token = issued(anonymous, credential_auth(answer["id"], answer["secret"]))
    assert [role["name"] for role in token["roles"]] == ["member"]
    assert not public.authenticate(clear).roles
    other = Person(user.uuid, clear, Api(anonymous.client, clear))
    assert refused(made(other, name="more"))[0] == 403
    assert (
        refused(other.api.call("DELETE", f"identity/v3/users/{user.uuid}/application_credentials/x"))[0]
        == 403
    )


def test_an_unrestricted_credential_keeps_the_groups(user: Person, anonymous: Api) -> None:
    user.row.groups.add(Group.objects.create(name="helpdesk"))
    answer = made(user, unrestricted=True, roles=[{"name": "helpdesk"}]).json()["application_credential"]
    clear, _ = issued(anonymous, credential_auth(answer["id"], answer["secret"]))
    assert public.authenticate(clear).roles == {"helpdesk"}


def test_an_expired_credential_is_refused_and_bounds_its_tokens(user: Person, anonymous: Api) -> None:
    later = clock.now() + dt.timedelta(minutes=5)
    answer = made(user, expires_at=later.isoformat()).json()["application_credential"]
    issued(anonymous, credential_auth(answer["id"], answer["secret"]))
    assert ScopedToken.objects.get().expires == later
    ApplicationCredential.objects.update(expires=clock.now())
    assert anonymous.post(TOKENS, credential_auth(answer["id"], answer["secret"])).status_code == 401


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""}, {"name": 7}, {"secret": "short"}, {"expires_at": "soon"}, {"unrestricted": "yes"},
        {"expires_at": "2020-01-01T00:00:00"}, {"access_rules": [{"path": "/"}]}, {"roles": ["x"]},
        {"expires_at": "0001-01-01T00:00:00+23:00"}, {"description": "x" * 256},
    ],
)  # fmt: skip
def test_fields_of_credentials_are_checked(user: Person, fields: dict[str, Any]) -> None:
    code, message = refused(made(user, **fields))
    assert code == 400
    assert next(iter(fields)) in message


def test_roles_the_user_has_not_and_taken_names_are_refused(user: Person) -> None:
    assert refused(made(user, roles=[{"name": "admin"}]))[0] == 403
    assert made(user).status_code == 201
    assert refused(made(user))[0] == 409


def test_credentials_are_listed_and_shown_without_secrets(user: Person, make_user: MakeUser) -> None:
    made(user)
    path = f"identity/v3/users/{user.uuid}/application_credentials"
    (listed,) = user.api.get(path).json()["application_credentials"]
    assert "secret" not in listed
    assert user.api.get(f"{path}/{listed['id']}").json()["application_credential"] == listed
    assert user.api.get(f"{path}?name=other").json()["application_credentials"] == []
    stranger = make_user("joe@lab.example")
    assert stranger.api.get(path).status_code == 403
    own = f"identity/v3/users/{stranger.uuid}/application_credentials/{listed['id']}"
    assert stranger.api.get(own).status_code == 404


# -- everything else -------------------------------------------------------------------------------------


def test_projects_are_the_users_own(user: Person, team: Project, make_user: MakeUser) -> None:
    for path in ("projects", "auth/projects", f"users/{user.uuid}/projects"):
        projects = user.api.get(f"identity/v3/{path}").json()["projects"]
        assert {project["id"] for project in projects} == {user.uuid, team.uuid}
    (found,) = user.api.get("identity/v3/projects?name=team.lab.example").json()["projects"]
    assert user.api.get(f"identity/v3/projects/{team.uuid}").json()["project"] == found
    stranger = make_user("joe@lab.example")
    assert stranger.api.get(f"identity/v3/projects/{team.uuid}").status_code == 404
    assert stranger.api.get(f"identity/v3/users/{user.uuid}/projects").status_code == 403


def test_everybody_sees_himself(user: Person, make_user: MakeUser) -> None:
    shown = user.api.get(f"identity/v3/users/{user.uuid}").json()["user"]
    assert (shown["name"], shown["default_project_id"]) == ("maria@lab.example", user.uuid)
    assert user.api.get("identity/v3/users").json()["users"] == [shown]
    other = make_user("joe@lab.example")
    assert user.api.get(f"identity/v3/users/{other.uuid}").status_code == 403


@pytest.mark.parametrize(
    ("path", "one"),
    [("services", "service"), ("endpoints", "endpoint"), ("regions", "region"), ("domains", "domain")],
)
def test_lists_and_their_items_agree(service: Api, user: Person, path: str, one: str) -> None:
    items = user.api.get(f"identity/v3/{path}").json()[path]
    assert items
    assert user.api.get(f"identity/v3/{path}/{items[-1]['id']}").json()[one] == items[-1]
    assert refused(user.api.get(f"identity/v3/{path}/nothing"))[0] == 404


def test_the_catalog_names_this_dialect_for_identity(user: Person) -> None:
    public.register_component(
        name="astakos", base_url="http://testserver/astakos", ui_url="http://testserver/astakos/ui",
        services=public.service_definitions(),
    )  # fmt: skip
    catalog = user.api.get("identity/v3/auth/catalog").json()["catalog"]
    (identity,) = [entry for entry in catalog if entry["type"] == "identity"]
    assert identity["endpoints"][0]["url"] == "http://testserver/astakos/identity/v3"


def test_unknown_paths_and_verbs_are_faults_of_keystone(user: Person, anonymous: Api) -> None:
    assert refused(user.api.get("identity/v3/groups"))[0] == 404
    response = anonymous.call("PUT", TOKENS)
    assert (refused(response)[0], response["Allow"]) == (405, "POST,GET,HEAD,DELETE")
    response = anonymous.get("identity/v3/projects")
    assert refused(response)[0] == 401
    assert response["WWW-Authenticate"] == 'Keystone uri="http://testserver/astakos/identity/v3"'


def test_discovery_of_the_dialect(anonymous: Api) -> None:
    for path in ("identity/v3", "identity/v3/"):
        version = anonymous.get(path).json()["version"]
        assert version["links"] == [{"rel": "self", "href": "http://testserver/astakos/identity/v3/"}]


def test_an_unknown_scoped_token_is_an_invalid_token() -> None:
    with pytest.raises(Unauthorized):
        public.authenticate("v3.nothing")
