"""Bring users and projects below their limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import enforcement, enforcement_actions
from cyclades.logic.enforcement_actions import Result
from cyclades.logic.enforcement_plan import ACTIONS, PlannedAction, Violation
from cyclades.management.arguments import words
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand

_VIOLATIONS = ("#", "Type", "Holder", "Source", "Resource", "Limit", "Usage")
_ACTIONS = ("Type", "ID", "State", "Backend", "Action", "Violation")


class Command(SynnefoCommand):
    help = (
        "Report users and projects that use more than their limits of Cyclades' resources and what would "
        "have to stop or go, and with --fix do so. Without --resources the default resources "
        f"({', '.join(enforcement.DEFAULT_RESOURCES)}) are only reported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--list-resources", action="store_true", help="Show what is done for each resource.")
        add("--resources", metavar="R,R", help="Resources to enforce.")
        add("--soft-resources", metavar="R,R", help="Resources to enforce without losing data.")
        add("--users", metavar="U,U", help="Only these users (uuid or e-mail), and no projects' own limits.")
        add("--exclude-users", metavar="U,U", help="Leave these users out.")
        add("--projects", metavar="P,P", help="Only these projects.")
        add("--exclude-projects", metavar="P,P", help="Leave these projects out.")
        add("--max-operations", type=int, metavar="N", help="At most so many operations on each backend.")
        add("--fix", action="store_true", help="Do what is suggested.")
        add("--force", action="store_true", help="Do not ask before data is lost.")
        add("--shutdown-timeout", type=int, metavar="SECONDS", help="Time that servers have to shut down.")
        add(
            "--remove-system-volumes",
            action="store_true",
            help="For disk space: also remove system volumes, which removes their servers.",
        )
        add("--cascade-remove", action="store_true", help="Also remove servers that have further volumes.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list_resources"]:
            headers = ("Name", "Enforce action", "Soft enforce action")
            rows = [(name, hard, soft or None) for name, (hard, soft) in sorted(ACTIONS.items())]
            self.print_table(headers, rows)
            return
        scope = self._scope(options)
        found = enforcement.find(scope)
        for holding in found.pending:
            whose = f"user:{holding.user}, source " if holding.user else ""
            self.say(
                f"Pending commission for {whose}project:{holding.project}, {holding.resource}; left alone."
            )
        if not found.plan.violations:
            self.say("No violations.")
            return
        self._tell_unresolved(found.plan.violations)
        if not options["fix"]:
            self._print(found.plan.violations, "Suggested Actions", _ACTIONS, map(_row, found.plan.actions))
            return
        self._apply(scope, found, options)

    def _scope(self, options: dict[str, Any]) -> enforcement.Scope:
        resources, soft = words(options["resources"]), words(options["soft_resources"])
        if not resources and not soft:
            if options["fix"]:
                raise CommandError("Say with --resources or --soft-resources what --fix may enforce.")
            resources = list(enforcement.DEFAULT_RESOURCES)
            self.say(f"Looking at {', '.join(resources)}; see --list-resources and --resources.")
        return enforcement.Scope(
            resources=frozenset(resources),
            soft_resources=frozenset(soft),
            users=_users(options["users"]),
            exclude_users=_users(options["exclude_users"]) or frozenset(),
            projects=frozenset(words(options["projects"])) if options["projects"] else None,
            exclude_projects=frozenset(words(options["exclude_projects"])),
            remove_system_volumes=options["remove_system_volumes"],
            cascade_remove=options["cascade_remove"],
        )

    def _apply(self, scope: enforcement.Scope, found: enforcement.Findings, options: dict[str, Any]) -> None:
        if scope.is_destructive and not options["force"]:
            self._print(found.plan.violations, "Suggested Actions", _ACTIONS, map(_row, found.plan.actions))
            if not self.confirm("This loses data or addresses. Confirm?"):
                raise CommandError("Nothing was changed.")
        applied = list(
            enforcement_actions.carry_out(
                Credentials.administrator(),
                actions=found.plan.actions,
                max_operations=options["max_operations"],
                shutdown_timeout=options["shutdown_timeout"],
            )
        )
        rows = [(*_row(item.action), str(item.result)) for item in applied]
        self._print(found.plan.violations, "Applied Actions", (*_ACTIONS, "Result"), rows)
        for item in applied:
            if item.reason:
                self.say(f"{item.action.kind} {item.action.id}: {item.reason}")
        if any(item.result == Result.FAILED for item in applied):
            raise CommandError("Some actions failed.", returncode=EXIT_PARTIAL)

    def _print(
        self,
        violations: Iterable[Violation],
        title: str,
        headers: Sequence[str],
        rows: Iterable[Sequence[Any]],
    ) -> None:
        self.print_tables(
            {
                "Violations": (_VIOLATIONS, [_violation_row(item) for item in violations]),
                title: (headers, list(rows)),
            }
        )

    def _tell_unresolved(self, violations: Iterable[Violation]) -> None:
        for item in violations:
            if item.unresolved:
                self.say(
                    f"Violation {item.number} could not be resolved: {item.unresolved} of "
                    f"{item.holding.resource} stay above the limit."
                )


def _users(text: str | None) -> frozenset[str] | None:
    return frozenset(map(users.uuid_of, words(text))) if text else None


def _violation_row(item: Violation) -> tuple[Any, ...]:
    holding = item.holding
    project = f"project:{holding.project}"
    whose = ("project", project, None) if holding.user is None else ("user", f"user:{holding.user}", project)
    return (item.number, *whose, holding.resource, holding.limit, holding.usage)


def _row(action: PlannedAction) -> tuple[Any, ...]:
    return (str(action.kind), action.id, action.state, action.backend, str(action.action), action.violation)
