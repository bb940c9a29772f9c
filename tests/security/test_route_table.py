"""Every route of every service by every role, held against the table of ``route_roles``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.test import Client, override_settings

from cyclades.ganeti import jobs
from synnefo.management.references import pages, routes
from tests.cyclades.image_fixtures import new_image_user, register_store, store_settings
from tests.security.roles_world import CANARY, RolesWorld
from tests.security.route_roles import ROLES, ROWS, Row
from tests.security.route_roles_identity import USERS_SWITCHED_ON
from tests.security.undoing import undone

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture(scope="module")
def made(kept: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RolesWorld]:
    """The world of all roles: what a request writes is taken back."""
    cache.clear()  # a catalog of another test
    chosen = store_settings(tmp_path_factory.mktemp("roles")) | {
        "METRICS_ALLOWED_HOSTS": ["127.0.0.1"], "PITHOS_OAUTH2_CLIENT_CREDENTIALS": ("view", "secret"),
    }  # fmt: skip
    with override_settings(**chosen), pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "_submit_after_commit", lambda *_: None)
        register_store()
        yield RolesWorld(lambda name: new_image_user(Client(), name))


@pytest.fixture
def world(made: RolesWorld, db: None, settings) -> Iterator[RolesWorld]:
    settings.ASTAKOS_PROJECT_ADMINS = [made.project_admin.uuid]
    cache.clear()
    yield made
    cache.clear()


def route_of(path: str) -> str:
    """Return the route that a path reaches."""
    return next(p for p in (*(pattern for pattern, _ in routes()), *pages()) if re.match(p, path))


@pytest.mark.parametrize("role", ROLES)
def test_each_route_answers_the_role_as_the_table_says(
    client: Client, world: RolesWorld, settings, role: str
) -> None:
    def status(row: Row) -> int:
        answer = world.call(client, role, row)
        body = b"".join(answer)  # type: ignore[call-overload]  # reading to the end closes what it holds
        if (
            answer.status_code >= 400
            and role in ("anonymous", "stranger")
            and CANARY.encode() in body.lower()
        ):
            told.append(f"{row.method} {row.path}")
        return answer.status_code

    told: list[str] = []

    def wrong(rows: list[Row]) -> list[str]:
        expected = [row.statuses[ROLES.index(role)] for row in rows]
        answered = [undone(lambda row=row: status(row)) for row in rows]  # type: ignore[misc]
        return [
            f"{row.method} {row.path}: {was} instead of {should}"
            for row, was, should in zip(rows, answered, expected, strict=True)
            if was != should
        ]

    surprises = wrong(ROWS)
    settings.ASTAKOS_ADMIN_API_ENABLED = True
    settings.ASTAKOS_ADMIN_API_PERMITTED_GROUPS = ["helpdesk"]
    surprises += wrong(USERS_SWITCHED_ON)
    assert not surprises, "\n".join(surprises)
    assert not told, "a fault tells what the owner called things: " + ", ".join(told)


def test_every_route_and_verb_is_in_the_table(world: RolesWorld) -> None:
    served = {(pattern, verb) for pattern, verbs in routes() for verb in verbs.split(", ")}
    covered = {(route_of(world.path_of(row).lstrip("/").partition("?")[0]), row.method) for row in ROWS}
    assert served - covered == set()
