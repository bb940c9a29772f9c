"""Show one user, with quota and projects on demand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import user_reports, users
from astakos.management.show import Section, ShowCommand
from astakos.management.units import add_unit_style, shown
from astakos.models import User


class Command(ShowCommand):
    help = "Show a user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="ID|UUID|EMAIL")
        parser.add_argument("--quota", action="store_true", help="Also show quota.")
        parser.add_argument("--projects", action="store_true", help="Also show projects and memberships.")
        add_unit_style(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        user = users.find(options["user"])
        sections: dict[str, Section] = {}
        if options["quota"]:
            sections["Quota"] = self._quota(user, options["unit_style"])
        if options["projects"]:
            sections |= self._projects(user)
        self.print_object(user_reports.details(user), sections)

    def _quota(self, user: User, style: str) -> Section:
        rows = [
            (row.project, row.resource, shown(row.limit, row.unit, style), shown(row.usage, row.unit, style))
            for row in user_reports.quota(user)
        ]
        return ("source", "resource", "limit", "usage"), rows

    def _projects(self, user: User) -> dict[str, Section]:
        owned = [
            (row.uuid, row.name, row.status, row.pending_application)
            for row in user_reports.owned_projects(user)
        ]
        joined = [(row.uuid, row.name, row.status) for row in user_reports.memberships(user)]
        return {
            "Owned Projects": (("project id", "project name", "status", "pending app id"), owned),
            "Project Memberships": (("project id", "project name", "status"), joined),
        }
