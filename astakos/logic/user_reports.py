"""What staff read about one user (administrator's contract 2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from astakos.logic import project_reports, quota_lists
from astakos.logic.accounts import status_text
from astakos.models import ApprovalTerms, MembershipState, User


@dataclass(frozen=True, slots=True)
class ProjectLine:
    """A project in a user's report."""

    uuid: str
    name: str
    status: str
    pending_application: int | None = None


def details(user: User) -> dict[str, Any]:
    """Return the fields of ``user-show``; the token is none of them."""
    permissions = user.user_permissions.values_list("codename", flat=True)
    group_permissions = user.groups.filter(permissions__isnull=False).values_list(
        "permissions__codename", flat=True
    )
    providers = list(user.auth_providers.all())
    fields: dict[str, Any] = {
        "id": user.pk,
        "uuid": user.uuid,
        "status": status_text(user),
        "email": user.email,
        "first name": user.first_name,
        "last name": user.last_name,
        "admin": user.is_superuser,
        "last login": user.last_login,
        "date joined": user.date_joined,
        "last update": user.updated,
        "token expiration": user.auth_token_expires,
        "providers": [str(row) for row in providers],
        "groups": list(user.groups.order_by("name").values_list("name", flat=True)),
        "permissions": sorted(permissions),
        "group permissions": sorted(set(group_permissions)),
        "email_verified": user.email_verified,
        "moderated": user.moderated,
        "rejected": user.is_rejected,
        "active": user.is_active,
        "username": user.username,
        "activation_sent_date": user.activation_sent,
        "last_login_details": [
            f"{row.module}: {row.last_login_at}" for row in providers if row.last_login_at
        ],
        "default_project": user.default_project,
    }
    if ApprovalTerms.objects.exists():
        fields["has_signed_terms"] = user.has_signed_terms
        fields["date_signed_terms"] = user.date_signed_terms
    return fields


def quota(user: User) -> list[quota_lists.HoldingRow]:
    """Return the user's holdings in every project."""
    return quota_lists.holdings_of(user.uuid)


def owned_projects(user: User) -> list[ProjectLine]:
    """Return the projects the user owns, with the application of each that awaits review."""
    return [
        ProjectLine(
            row.uuid, row.realname, project_reports.status(row), project_reports.pending_application(row)
        )
        for row in user.owned_projects.select_related("last_application").order_by("pk")
    ]


def memberships(user: User) -> list[ProjectLine]:
    """Return the user's relations to projects, the system project included."""
    return [
        ProjectLine(row.project.uuid, row.project.realname, MembershipState(row.state).label)
        for row in user.memberships.select_related("project")
    ]
