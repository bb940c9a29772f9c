"""List projects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Q, QuerySet

from astakos.logic import project_reports
from astakos.models import ApplicationState, Project, ProjectState
from synnefo.management.listing import Field, ListCommand

_ENDED = (ProjectState.TERMINATED, ProjectState.DELETED)
#: Where a condition's key ends.
_KEY = re.compile(r"^\s*(name|owner)(?=__|!?=|[<>])")


def _owner(project: Project) -> str | None:
    return project.owner.uuid if project.owner else None


class Command(ListCommand):
    help = "List projects; what was terminated or deleted, and system projects, only on demand."
    object_class = Project
    FIELDS = {
        "id": Field("uuid", "The project's uuid"),
        "name": Field("realname", "The project's name"),
        "owner": Field(_owner, "The owner's uuid; system projects have none"),
        "owner.email": Field("owner.email", "The owner's e-mail address"),
        "status": Field(project_reports.status, "Where the project stands"),
        "pending_app": Field(project_reports.pending_application, "The application that awaits review"),
        "description": Field("description", "The project's description"),
        "end_date": Field("end_date", "When the project is due to end"),
        "creation_date": Field("creation_date", "When it was applied for"),
        "deactivation_date": Field("deactivation_date", "When it was last suspended or terminated"),
    }
    default_fields = ("id", "name", "owner", "status", "pending_app")
    select_related = ("owner", "last_application")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--new", action="store_true", help="Only projects whose first application awaits review.")
        add("--modified", action="store_true", help="Only projects with a change that awaits review.")
        add("--pending", action="store_true", help="Only projects with an application that awaits review.")
        add(
            "--deleted",
            "--all",
            action="store_true",
            help="Also terminated, cancelled and dismissed projects.",
        )
        add("--skip", action="store_true", help="Accepted; ended projects are left out anyway.")
        add("--system-projects", action="store_true", help="Also the users' system projects.")
        add("--name", help="Only projects of this name; same as --filter-by name=….")
        add("--owner", metavar="UUID|EMAIL", help="Only projects of this owner.")
        add(
            "--display-mails",
            "--displayname",
            action="store_true",
            help="Add a column with the owner's e-mail address.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        options["filter_by"] = [
            ",".join(map(_translated, expression.split(","))) for expression in options["filter_by"]
        ]
        if options["display_mails"]:
            columns = [options["output"] or ",".join(self.default_fields), "owner.email"]
            options["output"] = ",".join(columns)
        super().handle(*args, **options)

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Project]:
        projects = project_reports.listing()
        pending = Q(last_application__state=ApplicationState.PENDING)
        if options["new"]:
            projects = projects.filter(pending, state=ProjectState.UNINITIALIZED)
        if options["modified"]:
            projects = projects.filter(pending).exclude(state=ProjectState.UNINITIALIZED)
        if options["pending"]:
            projects = projects.filter(pending)
        if not options["deleted"]:
            projects = projects.exclude(state__in=_ENDED)
        if not options["system_projects"]:
            projects = projects.filter(is_base=False)
        if options["name"] is not None:
            projects = projects.filter(realname=options["name"])
        if options["owner"] is not None:
            field = "owner__username" if "@" in options["owner"] else "owner__uuid"
            projects = projects.filter(**{field: options["owner"].lower()})
        return projects


def _translated(condition: str) -> str:
    """Let ``name`` mean the name people read and ``owner`` a uuid or an e-mail address."""
    if _KEY.match(condition) is None:
        return condition
    if condition.lstrip().startswith("name"):
        return _KEY.sub("realname", condition)
    return _KEY.sub("owner__username" if "@" in condition else "owner__uuid", condition)
