"""The Keystone v3 dialect: application credentials, and lists of what a user has."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Group

from astakos import public
from astakos.models import (
    ApplicationCredential,
    Project,
    ScopedToken,
    User,
)
from synnefo import clock
from synnefo.errors import Unauthorized
from tests.astakos.conftest import Api, MakeUser, Person
from tests.astakos.v3_requests import (
    TOKENS,
    credential_auth,
    issued,
    quota_status,
    refused,
    team,  # noqa: F401  (fixtures)
    token_auth,
)

pytestmark = [pytest.mark.db, pytest.mark.django_db]


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
