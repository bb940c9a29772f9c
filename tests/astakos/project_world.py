"""Projects, applications and the people around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from pytest_django import DjangoDbBlocker, Settings

from astakos import public
from astakos.models import Project, ProjectMembership, Resource
from astakos.public import CreatedUser
from tests.astakos.conftest import Api, MakeUser, Person, demo_component
from tests.remembered import remembered

Made = TypeVar("Made")

PROJECTS = "account/v1.0/projects"
MEMBERSHIPS = f"{PROJECTS}/memberships"
END = "2200-01-01T00:00:00+00:00"
PENDING_APP = "astakos.pending_app"


@dataclass
class ProjectWorld:
    """An owner, a member to be, a stranger and a project administrator."""

    owner: Person
    member: Person
    stranger: Person
    admin: Person

    def apply(
        self, name: str = "genome.lab.example", *, by: Person | None = None, **fields: Any
    ) -> tuple[str, int]:
        """Apply for a project and return its uuid and the application's number."""
        body = {"name": name, "end_date": END, "join_policy": "moderated", **fields}
        answer = (by or self.owner).api.post(PROJECTS, body)
        assert answer.status_code == 201, answer.content
        return answer.json()["id"], answer.json()["application"]

    def project(self, name: str = "genome.lab.example", **fields: Any) -> str:
        """Return the uuid of a new project that was approved."""

        def make() -> str:
            uuid, application = self.apply(name, **fields)
            assert self.answer("approve", uuid, application).status_code == 200
            return uuid

        return remembered(make, "project", name, repr(fields))

    def answer(
        self, action: str, uuid: str, application: object, by: Person | None = None, **extra: Any
    ) -> Any:
        details = {"reason": "because", "app_id": application, **extra}
        return (by or self.admin).api.post(f"{PROJECTS}/{uuid}/action", {action: details})

    def act(self, action: str, uuid: str, by: Person | None = None) -> Any:
        return (by or self.admin).api.post(f"{PROJECTS}/{uuid}/action", {action: {"reason": "because"}})

    def show(self, uuid: str, by: Person | None = None) -> Any:
        return (by or self.owner).api.get(f"{PROJECTS}/{uuid}").json()

    def join(self, uuid: str, by: Person | None = None) -> Any:
        return (by or self.member).api.post(MEMBERSHIPS, {"join": {"project": uuid}})

    def enroll(self, uuid: str, who: Person | None = None, by: Person | None = None) -> Any:
        email = (who or self.member).row.email
        return (by or self.owner).api.post(MEMBERSHIPS, {"enroll": {"project": uuid, "user": email}})

    def membership(self, uuid: str, who: Person | None = None) -> int:
        person = (who or self.member).uuid
        return ProjectMembership.objects.get(project__uuid=uuid, person__uuid=person).pk

    def on_membership(self, action: str, membership: int, by: Person | None = None) -> Any:
        return (by or self.owner).api.post(f"{MEMBERSHIPS}/{membership}/action", {action: "because"})

    def limit(self, uuid: str, who: Person, resource: str = "demo.vm") -> int | None:
        """Return the limit of a user's holding in a project."""
        quotas = who.api.get("account/v1.0/quotas").json()
        return quotas.get(uuid, {}).get(resource, {}).get("limit")

    def state(self, uuid: str) -> int:
        return Project.objects.get(uuid=uuid).state


NAMES = ("olga", "mary", "sam", "ada")


def prepare(make_user: Callable[..., Made]) -> list[Made]:
    """Make what the people need and the people; each may have two applications awaiting review."""
    public.register_component(
        name="astakos", base_url="http://testserver/astakos", ui_url="http://testserver/ui",
        services=public.service_definitions(),
    )  # fmt: skip
    Resource.objects.filter(name=PENDING_APP).update(uplimit=2)
    Resource.objects.filter(name="demo.vm").update(project_default=7)
    return [make_user(f"{name}@lab.example", first_name=name.title()) for name in NAMES]


def make_world(service: Api, make_user: MakeUser, settings: Any) -> ProjectWorld:
    """Make a world of one test."""
    people = prepare(make_user)
    settings.ASTAKOS_PROJECT_ADMINS = [people[3].uuid]
    return ProjectWorld(*people)


@pytest.fixture(scope="module")
def people(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[list[CreatedUser]]:
    """The people of all tests of a module, which must not commit: what each test does is taken back."""

    def make(email: str, first_name: str) -> CreatedUser:
        return public.create_user(email=email, password="a-password", first_name=first_name, last_name="Doe")

    cache.clear()
    with django_db_blocker.unblock(), transaction.atomic():
        demo_component()
        yield prepare(make)
        transaction.set_rollback(True)


@pytest.fixture
def world(people: list[CreatedUser], db: None, client: Client, settings: Settings) -> ProjectWorld:
    """The people with this test's client."""
    settings.ASTAKOS_PROJECT_ADMINS = [people[3].uuid]
    return ProjectWorld(*(Person(made.uuid, made.token, Api(client, made.token)) for made in people))
