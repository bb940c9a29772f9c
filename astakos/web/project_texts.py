"""Projects in words: states, policies, quantities, and what an application changes (web contract 10)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from astakos.logic.project_queries import ApplicationDetails, Capacity, ProjectDetails
from astakos.logic.usage import resource_titles
from branding.templatetags.ui import quantity_text
from synnefo.units import INF

Units = dict[str, str]


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A field of an application next to what the project has now; ``changed`` when they differ."""

    label: str
    now: str
    wanted: str
    changed: bool
    #: By how much a number grows or shrinks, with its sign.
    delta: str = ""


@dataclass(frozen=True, slots=True)
class ResourceLine:
    """A resource of a project as a table shows it."""

    name: str
    title: str
    per_member: str
    total: str
    usage: str


def policy_text(policy: str | None) -> str:
    """Return how joining or leaving is decided, in a sentence."""
    return {
        "auto": _("Accepted automatically"),
        "moderated": _("The owner accepts"),
        "closed": _("Closed"),
    }.get(policy or "", "–")


def membership_text(state: str) -> str:
    """Return how a person relates to a project."""
    return {
        "requested": _("Join requested"),
        "accepted": _("Accepted member"),
        "leave_requested": _("Leave requested"),
        "suspended": _("Suspended member"),
        "rejected": _("Request rejected"),
        "cancelled": _("Request cancelled"),
        "removed": _("Removed member"),
    }.get(state, state)


def date_text(moment: dt.datetime | None) -> str:
    """Return a day."""
    return "–" if moment is None else formats.date_format(timezone.localtime(moment), "DATE_FORMAT")


def members_text(limit: int | None) -> str:
    """Return a limit of members."""
    return "–" if limit is None else quantity_text(limit, "")


def flag_text(value: bool | None) -> str:
    """Return yes or no."""
    return "–" if value is None else _("Yes") if value else _("No")


def resource_lines(
    capacities: tuple[Capacity, ...], units: Units, usage: dict[str, int] | None = None
) -> list[ResourceLine]:
    """Return the table of a project's resources."""
    titles = resource_titles()
    return [
        ResourceLine(
            name=row.resource,
            title=titles.get(row.resource, row.resource),
            per_member=quantity_text(row.member_capacity, units.get(row.resource, "")),
            total=quantity_text(row.project_capacity, units.get(row.resource, "")),
            usage=""
            if usage is None
            else quantity_text(usage.get(row.resource, 0), units.get(row.resource, "")),
        )
        for row in capacities
    ]


def difference(
    application: ApplicationDetails, project: ProjectDetails | None, units: Units
) -> list[FieldLine]:
    """Return what an application asks for, next to what *project* has now (``None``: it is a new one)."""
    pairs: list[tuple[str, str | None, str]] = [
        (_("Name"), application.name, project.name if project else ""),
        (_("Owner"), application.owner_email, project.owner_email if project else ""),
        (_("Homepage"), application.homepage, project.homepage if project else ""),
        (_("Description"), application.description, project.description if project else ""),
        (_("Starts"), _given(application.start_date), ""),
        (_("Ends"), _given(application.end_date), date_text(project.end_date) if project else ""),
        (_("Joining"), _policy(application.join_policy), policy_text(project.join_policy) if project else ""),
        (
            _("Leaving"),
            _policy(application.leave_policy),
            policy_text(project.leave_policy) if project else "",
        ),
        (
            _("Members at most"),
            None if application.max_members is None else members_text(application.max_members),
            members_text(project.max_members) if project else "",
        ),
        (
            _("Private"),
            None if application.private is None else flag_text(application.private),
            flag_text(project.private) if project else "",
        ),
    ]
    lines = [
        FieldLine(label, now or "–", wanted, bool(project) and wanted != now)
        for label, wanted, now in pairs
        if wanted is not None
    ]
    return lines + _resource_differences(application, project, units)


def _given(moment: dt.datetime | None) -> str | None:
    return None if moment is None else date_text(moment)


def _policy(policy: str | None) -> str | None:
    return None if policy is None else policy_text(policy)


def _resource_differences(
    application: ApplicationDetails, project: ProjectDetails | None, units: Units
) -> list[FieldLine]:
    titles = resource_titles()
    current = {row.resource: row for row in project.resources} if project else {}
    lines = []
    for row in application.resources:
        unit, now = units.get(row.resource, ""), current.get(row.resource)
        for label, wanted, had in (
            (_("%(resource)s, in total"), row.project_capacity, now.project_capacity if now else None),
            (_("%(resource)s, per member"), row.member_capacity, now.member_capacity if now else None),
        ):
            lines.append(
                FieldLine(
                    label % {"resource": titles.get(row.resource, row.resource)},
                    "–" if had is None else quantity_text(had, unit),
                    quantity_text(wanted, unit),
                    project is not None and wanted != had,
                    "" if had is None else _delta(wanted, had, unit),
                )
            )
    return lines


def _delta(wanted: int, had: int, unit: str) -> str:
    if wanted == had or INF in (wanted, had):
        return ""
    sign = "+" if wanted > had else "−"
    return sign + quantity_text(abs(wanted - had), unit)
