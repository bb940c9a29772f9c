"""Show one project, with members, usage and the pending application on demand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import project_reports
from astakos.management.show import Section, ShowCommand
from astakos.management.units import add_unit_style, shown
from astakos.models import Project


class Command(ShowCommand):
    help = "Show a project."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="UUID")
        parser.add_argument(
            "--pending-app", "--app", "--pending", action="store_true", help="Also show what awaits review."
        )
        parser.add_argument("--members", action="store_true", help="Also show the members.")
        parser.add_argument("--quota", action="store_true", help="Also show what is used.")
        add_unit_style(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_reports.find(options["project"])
        sections = {"Resource limits": self._limits(project, options["quota"], options["unit_style"])}
        if options["members"]:
            sections["Members"] = ("uuid", "email", "status"), project_reports.members(project)
        application = project.last_application
        if options["pending_app"] and application and project_reports.pending_application(project):
            fields = project_reports.application_fields(application)
            sections["Pending Application"] = ("field", "value"), fields
        self.print_object(project_reports.details(project), sections)

    def _limits(self, project: Project, with_usage: bool, style: str) -> Section:
        headers = ["name", "max per member", "max per project", *(["usage"] if with_usage else [])]
        rows = []
        for line in project_reports.limits(project):
            numbers = [line.member_capacity, line.project_capacity, *([line.usage] if with_usage else [])]
            rows.append([line.resource, *(shown(number, line.unit, style) for number in numbers)])
        return headers, rows
