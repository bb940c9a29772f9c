"""Change a project, or all system projects, without an application."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import project_actions, project_reports, resources, users
from astakos.logic.project_actions import Limit
from astakos.management.units import parse_quantity
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, parse_bool

_POLICIES = ("auto", "moderated", "closed")
_TEXTS = ("name", "homepage", "description", "join_policy", "leave_policy", "max_members")


class Command(SynnefoCommand):
    help = "Change a project at once; limits of members who are in it follow."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("project", nargs="?", metavar="UUID")
        add("--all-system-projects", action="store_true", help="Change every user's system project.")
        add("--exclude", default="", metavar="UUID,…", help="Leave these system projects as they are.")
        add("--name", help="A name in the form of a domain name.")
        add("--owner", metavar="UUID|EMAIL", help="The user who decides about members.")
        add("--homepage", help="Address of a web page.")
        add("--description", help="What the project is for.")
        add("--end-date", metavar="ISO", help="When it is due to end; UTC unless a zone is given.")
        add("--join-policy", choices=_POLICIES, metavar="|".join(_POLICIES), help="How people join.")
        add("--leave-policy", choices=_POLICIES, metavar="|".join(_POLICIES), help="How people leave.")
        add("--max-members", metavar="N", help="How many members there may be, or inf.")
        add("--private", metavar="True|False", help="Whether only members see it.")
        add(
            "--limit",
            nargs=3,
            action="append",
            default=[],
            metavar=("RESOURCE", "MEMBER", "PROJECT"),
            help="Limits of a resource per member and in total (repeatable).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        changes = self._changes(options)
        limits = [_limit(*words) for words in options["limit"]]
        if not changes and not limits:
            raise CommandError("Nothing to change was given.")
        everybody = options["all_system_projects"]
        if everybody == bool(options["project"]):
            raise CommandError("Give either a project or --all-system-projects.")
        if options["exclude"] and not everybody:
            raise CommandError("--exclude goes with --all-system-projects")
        administrator = Credentials.administrator()
        if everybody:
            exclude = [uuid for uuid in options["exclude"].split(",") if uuid]
            count = project_actions.modify_system_projects(
                administrator, changes=changes, limits=limits, exclude=exclude
            )
            self.say(f"Changed {count} system projects.")
            return
        uuid = project_reports.find(options["project"]).uuid
        project_actions.modify(administrator, project=uuid, changes=changes, limits=limits)

    def _changes(self, options: dict[str, Any]) -> dict[str, object]:
        changes: dict[str, object] = {name: options[name] for name in _TEXTS if options[name] is not None}
        if options["owner"] is not None:
            changes["owner"] = users.find(options["owner"]).uuid
        if options["private"] is not None:
            changes["private"] = parse_bool(options["private"])
        if options["end_date"] is not None:
            changes["end_date"] = _moment(options["end_date"]).isoformat()
        return changes


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--end-date: '{text}' is not an ISO 8601 date, as in 2030-12-31") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _limit(resource: str, member: str, project: str) -> Limit:
    unit = resources.unit_of(resource)
    what = f"--limit {resource}"
    return Limit(resource, parse_quantity(member, unit, what), parse_quantity(project, unit, what))
