"""Requests of the Keystone v3 tests, and a project to ask for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from astakos.models import (
    MembershipState,
    Project,
    ProjectMembership,
    ProjectState,
)
from synnefo import clock
from tests.astakos.conftest import Api, MakeUser, Person

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
