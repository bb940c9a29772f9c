"""What today's OpenStack clients do with identity: keystoneauth, openstacksdk and the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from keystoneauth1 import session
from keystoneauth1.exceptions import http
from keystoneauth1.identity import generic, v2, v3
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from astakos import public
from astakos.models import ScopedToken
from tests.astakos.conftest import SERVICES, MakeUser, Person
from tests.lab.programs import command_lines

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
DEFAULT = {"user_domain_id": "default", "project_domain_id": "default"}


@pytest.fixture
def auth_url(live_server: LiveServer, settings: Settings) -> str:
    """A served cloud with the services of identity and of a component ``demo``."""
    base = f"{live_server.url}/astakos"
    settings.ASTAKOS_BASE_URL = base
    settings.ALLOWED_HOSTS = ["*"]
    public.register_component(
        name="astakos", base_url=base, ui_url=f"{base}/ui", services=public.service_definitions()
    )
    demo = f"{live_server.url}/demo"
    public.register_component(name="demo", base_url=demo, ui_url=f"{demo}/ui", services=SERVICES)
    return f"{base}/identity"


@pytest.fixture
def person(auth_url: str, make_user: MakeUser) -> Person:
    return make_user()


def openstack_lines(auth_url: str, *lines: list[str], **login: str) -> list[str]:
    """Run command lines of the client one after the other and return what each prints."""
    return command_lines(*lines, auth_url=auth_url, identity_api_version="3", **login)


def openstack(auth_url: str, *arguments: str, **login: str) -> Any:
    """Run the command line client and return the JSON it prints."""
    return json.loads(openstack_lines(auth_url, [*arguments, "-f", "json"], **login)[0])


def test_the_command_line_shows_token_catalog_and_projects(auth_url: str, person: Person) -> None:
    login = {"username": person.uuid, "password": person.token, "project_id": person.uuid}
    login |= {"user_domain_id": "default"}
    token = openstack(auth_url, "token", "issue", **login)
    assert (token["user_id"], token["project_id"]) == (person.uuid, person.uuid)
    assert token["id"].startswith("v3.")
    catalog = openstack(f"{auth_url}/v3", "catalog", "list", **login)
    assert {"identity", "account", "compute"} <= {entry["Type"] for entry in catalog}
    projects = openstack(auth_url, "project", "list", auth_type="token", token=token["id"])
    assert projects == [{"ID": person.uuid, "Name": f"system:{person.uuid}"}]


def test_the_command_line_manages_credentials_and_tokens(auth_url: str, person: Person) -> None:
    url = f"{auth_url}/v3"
    login = {"username": person.uuid, "password": person.token, "project_id": person.uuid}
    login |= {"user_domain_id": "default"}
    json_please = ["-f", "json"]
    credential = ["application", "credential"]
    made, listed = map(
        json.loads,
        openstack_lines(
            url, [*credential, "create", "ci", *json_please], [*credential, "list", *json_please], **login
        ),
    )
    made = {name.lower(): value for name, value in made.items()}
    assert [row["Name"] for row in listed] == ["ci"]
    by_credential = {"auth_type": "v3applicationcredential", "application_credential_id": made["id"],
                     "application_credential_secret": made["secret"]}  # fmt: skip
    (text,) = openstack_lines(url, ["token", "issue", *json_please], **by_credential)
    issued = json.loads(text)
    assert (issued["user_id"], issued["project_id"]) == (person.uuid, person.uuid)
    assert ScopedToken.objects.filter(methods=["application_credential"]).exists()
    *_silent, left = openstack_lines(
        url, ["token", "revoke", issued["id"]], [*credential, "delete", "ci"],
        [*credential, "list", *json_please], **login,
    )  # fmt: skip
    assert json.loads(left) == []
    assert not ScopedToken.objects.filter(methods=["application_credential"]).exists()


def test_generic_password_finds_the_newest_version(auth_url: str, person: Person) -> None:
    plugin = generic.Password(
        auth_url, username="maria@lab.example", password="a-password", project_id=person.uuid, **DEFAULT
    )
    client = session.Session(plugin)
    assert client.get_token().startswith("v3.")
    assert client.get_user_id() == person.uuid
    assert client.get_endpoint(service_type="compute").endswith("/demo/compute/v2.0")
    users = client.get(f"/users/{person.uuid}", endpoint_filter={"service_type": "identity", "version": "3"})
    assert users.json()["user"]["id"] == person.uuid


def test_generic_password_without_a_domain_still_works(auth_url: str, person: Person) -> None:
    plugin = generic.Password(auth_url, username=person.uuid, password=person.token, tenant_id=person.uuid)
    assert session.Session(plugin).get_user_id() == person.uuid


@pytest.mark.parametrize("suffix", ["", "/v2.0"])
def test_the_older_dialect_still_works(auth_url: str, person: Person, suffix: str) -> None:
    plugin: Any = v2.Password(f"{auth_url}/v2.0", person.uuid, person.token, tenant_id=person.uuid)
    client = session.Session(plugin)
    assert client.get_token() == person.token
    generic_one = generic.Password(
        f"{auth_url}{suffix}", username=person.uuid, password=person.token, tenant_id=person.uuid
    )
    assert session.Session(generic_one).get_user_id() == person.uuid


def test_a_revoked_token_is_refused(auth_url: str, person: Person) -> None:
    client = session.Session(v3.Token(f"{auth_url}/v3", person.token))
    token = client.get_token()
    url = f"{auth_url}/v3/auth/tokens"
    assert client.get(url, headers={"X-Subject-Token": token}).status_code == 200
    assert client.delete(url, headers={"X-Subject-Token": token}).status_code == 204
    with pytest.raises(http.Unauthorized):
        session.Session().get(f"{auth_url}/v3/auth/projects", headers={"X-Auth-Token": token})
    assert not ScopedToken.objects.exists()


def test_an_application_credential_from_the_sdk_logs_in(auth_url: str, person: Person) -> None:
    openstacksdk = pytest.importorskip("openstack")
    login = {"username": person.uuid, "password": person.token, "project_id": person.uuid, **DEFAULT}
    with openstacksdk.connect(auth_url=auth_url, identity_api_version="3", **login) as cloud:
        assert [project.id for project in cloud.identity.projects()] == [person.uuid]
        made = cloud.identity.create_application_credential(person.uuid, "ci", description="tests")
        (listed,) = cloud.identity.application_credentials(person.uuid)
        assert (listed.id, listed.project_id) == (made.id, person.uuid)
        plugin = v3.ApplicationCredential(
            f"{auth_url}/v3", application_credential_id=made.id, application_credential_secret=made.secret
        )
        client = session.Session(plugin)
        assert client.get_user_id() == person.uuid
        assert client.get_project_id() == person.uuid
        cloud.identity.delete_application_credential(person.uuid, made.id)
        with pytest.raises(http.Unauthorized):
            plugin.get_auth_ref(session.Session())


def test_the_identity_client_manages_credentials_and_tokens(auth_url: str, person: Person) -> None:
    keystone = pytest.importorskip("keystoneclient.v3.client")
    plugin = v3.Password(f"{auth_url}/v3", user_id=person.uuid, password=person.token, project_id=person.uuid)
    client = keystone.Client(session=session.Session(plugin))
    assert [project.id for project in client.auth.projects()] == [person.uuid]
    made = client.application_credentials.create("ci", user=person.uuid)
    assert [item.id for item in client.application_credentials.list(user=person.uuid)] == [made.id]
    client.application_credentials.delete(made.id, user=person.uuid)
    other = v3.Token(f"{auth_url}/v3", person.token).get_token(session.Session())
    assert client.tokens.validate(other).user_id == person.uuid
    client.tokens.revoke_token(other)
    assert not ScopedToken.objects.filter(methods=["token"]).exists()
