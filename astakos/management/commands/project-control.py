"""Answer applications and suspend, resume, end and revive projects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import applications, project_actions, project_reports
from astakos.models import Project
from synnefo.credentials import Credentials
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand

_ANSWERS = {"approve": applications.approve, "deny": applications.deny}
_COLUMNS = ("Project", "Name", "Status", "Expiration date")


class Command(SynnefoCommand):
    help = "Answer an application, or change the state of a project; do exactly one of these."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--approve", type=int, metavar="APPLICATION", help="Let an application take effect.")
        add("--deny", type=int, metavar="APPLICATION", help="Turn an application down.")
        add("--suspend", metavar="UUID", help="Stop the quota of a project for a while.")
        add("--unsuspend", metavar="UUID", help="Resume a suspended project.")
        add("--terminate", metavar="UUID", help="End a project.")
        add("--reinstate", metavar="UUID", help="Revive a terminated project.")
        add("--check-expired", action="store_true", help="List the projects that are past their end date.")
        add("--terminate-expired", action="store_true", help="Terminate them; for a daily job.")
        add("-m", "--message", default="", help="The reason, which the applicant or owner reads.")

    def handle(self, *args: Any, **options: Any) -> None:
        given = [
            name
            for name in (*_ANSWERS, *project_actions.ACTIONS, "check_expired", "terminate_expired")
            if options[name] not in (None, False)
        ]
        if len(given) != 1:
            raise CommandError("Specify exactly one operation.")
        action = given[0]
        if action in ("check_expired", "terminate_expired"):
            self._expired(terminate=action == "terminate_expired")
        elif action in _ANSWERS:
            _ANSWERS[action](
                Credentials.administrator(), application_id=options[action], reason=options["message"]
            )
        else:
            uuid = project_reports.find(options[action]).uuid
            project_actions.ACTIONS[action](
                Credentials.administrator(), project=uuid, reason=options["message"]
            )

    def _expired(self, *, terminate: bool) -> None:
        projects = project_actions.expired()
        if not projects:
            self.say("No expired projects.")
        if projects or self.style_name == "json":
            self._print(projects)
        if not terminate:
            return
        outcome = project_actions.terminate_expired(Credentials.administrator())
        for project in outcome.terminated:
            self.say(f"Terminated {project.uuid}.")
        for project, why in outcome.failed:
            self.stderr.write(f"Cannot terminate {project.uuid}: {why}")
        if outcome.failed:
            raise CommandError("Some projects could not be terminated.", returncode=EXIT_PARTIAL)

    def _print(self, projects: Sequence[Project]) -> None:
        rows = [
            (project.uuid, project.realname, project_reports.status(project), project.end_date)
            for project in projects
        ]
        self.print_table(_COLUMNS, rows)
