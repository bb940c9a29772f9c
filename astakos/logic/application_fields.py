"""What an application for a project may contain, checked field by field (identity contract 3.4)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from astakos.models import Policy, Resource, User
from synnefo import clock
from synnefo.errors import BadRequest
from synnefo.texts import sentence
from synnefo.units import INF

MAX_NAME = 80
MAX_HOMEPAGE = 255
MAX_TEXT = 4096
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*[a-z]{{2,63}}", re.IGNORECASE | re.ASCII)
_AMOUNT = re.compile(r"(\d{1,19})([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_POLICIES = {policy.label: policy for policy in Policy}
_TEXTS = {"name": MAX_NAME, "homepage": MAX_HOMEPAGE, "description": MAX_TEXT, "comments": MAX_TEXT}
_MAX_RESOURCES = 200


@dataclass(frozen=True, slots=True)
class Grant:
    """How much of a resource is asked for, in total and per member."""

    project_capacity: int
    member_capacity: int


@dataclass(frozen=True, slots=True)
class ApplicationFields:
    """What is asked for; ``None`` means "no change" or, for a new project, the default."""

    owner: User | None = None
    name: str | None = None
    homepage: str | None = None
    description: str | None = None
    comments: str | None = None
    start_date: dt.datetime | None = None
    end_date: dt.datetime | None = None
    join_policy: Policy | None = None
    leave_policy: Policy | None = None
    max_members: int | None = None
    private: bool | None = None
    resources: Mapping[str, Grant] = field(default_factory=dict)

    def columns(self) -> dict[str, Any]:
        """Return the fields by the names of the tables' columns, without the resources."""
        return {
            "owner": self.owner,
            "name": self.name,
            "homepage": self.homepage,
            "description": self.description,
            "start_date": self.start_date,
            "end_date": self.end_date,
            "comments": self.comments,
            "member_join_policy": self.join_policy,
            "member_leave_policy": self.leave_policy,
            "limit_on_members_number": self.max_members,
            "private": self.private,
        }


class FieldReader:
    """Reads an application in two steps, because what is checked between them has its place in the order.

    Making one checks owner, policies, the member limit and all types; ``complete`` checks the rest. Both
    raise ``BadRequest`` naming the field.
    """

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._owner = self._read_owner()
        self._join_policy = self._policy("join_policy")
        self._leave_policy = self._policy("leave_policy")
        self._max_members = self._read_max_members()
        for name in (*_TEXTS, "start_date", "end_date"):
            if not isinstance(body.get(name), str | None):
                raise BadRequest(sentence("'%(name)s' must be a string", name=name))
        if not isinstance(body.get("private"), bool | None):
            raise BadRequest("'private' must be true or false")
        if not isinstance(body.get("resources"), dict | None):
            raise BadRequest("'resources' must be an object")

    def complete(self, *, is_new: bool) -> ApplicationFields:
        """Return the checked fields; a new project needs a name and an end date."""
        for name in ("name", "end_date") if is_new else ():
            if not self._body.get(name):
                raise BadRequest(sentence("'%(name)s' is required", name=name))
        texts = {name: self._text(name, limit) for name, limit in _TEXTS.items()}
        end_date = self._date("end_date")
        if end_date is not None and end_date <= clock.now():
            raise BadRequest("'end_date' must be in the future")
        return ApplicationFields(
            owner=self._owner,
            start_date=self._date("start_date"),
            end_date=end_date,
            join_policy=self._join_policy,
            leave_policy=self._leave_policy,
            max_members=self._max_members,
            private=self._body.get("private"),
            resources=self._resources(),
            **texts,
        )

    def _read_owner(self) -> User | None:
        owner = self._body.get("owner")
        if owner is None:
            return None
        found = User.objects.filter(uuid=owner).first() if isinstance(owner, str) else None
        if found is None or not found.is_accepted:
            raise BadRequest("'owner' must be the uuid of an accepted user")
        return found

    def _policy(self, name: str) -> Policy | None:
        value = self._body.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or value not in _POLICIES:
            raise BadRequest(
                sentence("'%(name)s' must be one of %(names)s", name=name, names=", ".join(_POLICIES))
            )
        return _POLICIES[value]

    def _read_max_members(self) -> int | None:
        value = self._body.get("max_members")
        if value is None:
            return None
        number = _amount(value) if isinstance(value, str) else value
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= INF:
            raise BadRequest(sentence("'max_members' must be a number from 0 to %(inf)s, or 'inf'", inf=INF))
        return number

    def _text(self, name: str, limit: int) -> str | None:
        value: str | None = self._body.get(name)
        if value is None:
            return None
        if len(value) > limit:
            raise BadRequest(
                sentence("'%(name)s' has more than %(limit)s characters", name=name, limit=limit)
            )
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise BadRequest(sentence("'%(name)s' contains characters that cannot be stored", name=name))
        if name == "name" and not _NAME.fullmatch(value):
            raise BadRequest("'name' must have the form of a domain name, as in genome.lab.example.org")
        return value

    def _date(self, name: str) -> dt.datetime | None:
        value: str | None = self._body.get(name)
        if not value:
            return None
        try:
            moment = dt.datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            pass
        raise BadRequest(
            sentence(
                "'%(name)s' must be an ISO 8601 date with a time zone, as in 2030-12-31T00:00:00+00:00",
                name=name,
            )
        )

    def _resources(self) -> dict[str, Grant]:
        wanted: dict[str, Any] = self._body.get("resources") or {}
        if len(wanted) > _MAX_RESOURCES:
            raise BadRequest(sentence("'resources' has more than %(limit)s items", limit=_MAX_RESOURCES))
        known = (
            set(Resource.objects.filter(api_visible=True).values_list("name", flat=True)) if wanted else ()
        )
        return {name: _grant(name, value, name in known) for name, value in wanted.items()}


def _grant(name: str, value: object, is_known: bool) -> Grant:
    if not is_known:
        raise BadRequest(sentence("'resources': there is no resource %(name)s", name=name[:100]))
    if not isinstance(value, dict):
        raise BadRequest(sentence("'resources': %(name)s must be an object", name=name))
    numbers = []
    for key in ("project_capacity", "member_capacity"):
        number = value.get(key)
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= INF:
            raise BadRequest(
                sentence(
                    "'resources': %(key)s of %(name)s must be a number from 0 to %(inf)s",
                    key=key,
                    name=name,
                    inf=INF,
                )
            )
        numbers.append(number)
    if numbers[1] > numbers[0]:
        raise BadRequest(
            sentence(
                "'resources': member_capacity of %(name)s is larger than its project_capacity", name=name
            )
        )
    return Grant(*numbers)


def _amount(text: str) -> int | None:
    """Return the number that *text* means, with a binary suffix or as 'inf'; ``None`` if it is none."""
    if text.strip().lower() in ("inf", "infinite", "unlimited"):
        return INF
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        return None
    return int(match[1]) << (10 * " kmgtp".index(match[2].lower() or " "))
