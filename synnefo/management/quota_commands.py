"""What commands that compare a service with the quota holder have in common (administrator's contract 4.9).

The kernel knows no service: a command says in its own words how its service counts and corrects.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from django.core.management.base import CommandError, CommandParser

from synnefo import users
from synnefo.errors import OverLimit
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand


class Discrepancy(Protocol):
    """A holding that is not what was counted; see ``astakos.public.Discrepancy``."""

    @property
    def kind(self) -> str: ...  # noqa: D102  (said above)
    @property
    def holder(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str | None: ...  # noqa: D102
    @property
    def resource(self) -> str: ...  # noqa: D102
    @property
    def counted(self) -> int: ...  # noqa: D102
    @property
    def held(self) -> int: ...  # noqa: D102


class Recount(Protocol):
    """The outcome of a comparison; see ``astakos.public.Recount``."""

    @property
    def unsynced(self) -> Sequence[Discrepancy]: ...  # noqa: D102  (said above)
    @property
    def skipped(self) -> Sequence[Discrepancy]: ...  # noqa: D102
    @property
    def unknown(self) -> Sequence[Discrepancy]: ...  # noqa: D102
    @property
    def holdings(self) -> int: ...  # noqa: D102


class RecountCommand(SynnefoCommand):
    """A ``reconcile-resources-*``: counts, shows what differs and, with ``--fix``, corrects the holdings."""

    #: The command to run when commissions are pending, if there is one.
    commissions_command = ""
    #: What the table calls the side that was counted.
    counted_column = "Database"

    @abstractmethod
    def recount(self, *, user: str | None, project: str | None) -> Any:
        """Return the ``Recount`` of one user (or all) and one project (or all)."""

    @abstractmethod
    def correct(self, found: Any, *, force: bool) -> None:
        """Correct what ``recount`` found; raises ``OverLimit`` unless *force*."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options that all of these commands have."""
        add = parser.add_argument
        add("--user", "--userid", metavar="UUID|EMAIL", help="Only this user's.")
        add("--project", metavar="UUID", help="Only what is charged to this project.")
        add("--fix", action="store_true", help="Correct the quota holder.")
        add("--force", action="store_true", help="With --fix: even beyond limits.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare, show and perhaps correct."""
        user = self._user(options["user"])
        found: Recount = self.recount(user=user, project=options["project"])
        if user is not None and not found.holdings and not found.unknown:
            raise CommandError(f"No holdings for user: {user}.")
        self._show(found)
        if found.unsynced and options["fix"]:
            self._fix(found, force=options["force"])
        if found.unknown:
            raise CommandError(
                "Something is charged to users or projects that have no holdings.", returncode=EXIT_PARTIAL
            )

    def _user(self, text: str | None) -> str | None:
        uuid = None if text is None else users.uuid_of(text)
        if uuid is not None and "@" in uuid:
            raise CommandError(f"No holdings for user: {uuid}.")
        return uuid

    def _show(self, found: Recount) -> None:
        advice = f" Run {self.commissions_command} first." if self.commissions_command else ""
        for item in found.skipped:
            self.say(
                f"Pending commission for {item.holder}, source {item.source}, resource {item.resource}; "
                f"left alone.{advice}"
            )
        for item in found.unknown:
            self.say(f"No holdings for {item.kind}: {item.holder} ({item.counted} {item.resource}).")
        if not found.unsynced:
            self.say("Everything in sync.")
        if found.unsynced or self.style_name == "json":
            rows = [
                (item.kind, item.holder, item.source, item.resource, item.counted, item.held)
                for item in found.unsynced
            ]
            columns = ("Type", "Holder", "Source", "Resource", self.counted_column, "Quotaholder")
            self.print_table(columns, rows)

    def _fix(self, found: Recount, *, force: bool) -> None:
        try:
            self.correct(found, force=force)
        except OverLimit as error:
            raise CommandError(
                "Reconciling failed because a limit has been reached. Use --force to ignore limits. "
                f"({error.message})"
            ) from error
        self.say("Fixed unsynced resources")


class CommissionsCommand(SynnefoCommand):
    """A ``reconcile-commissions-*``: shows what would become of pending commissions, or resolves them."""

    #: Commissions younger than this (seconds) are left to those who issued them.
    default_age = 0

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options that all of these commands have."""
        parser.add_argument("--fix", action="store_true", help="Resolve them instead of listing them.")
        parser.add_argument(
            "--older-than", type=int, default=self.default_age, metavar="SECONDS",
            help="Leave younger ones to the requests that made them (default %(default)s).",
        )  # fmt: skip

    def show_pending(self, *, accept: Sequence[int], reject: Sequence[int], **others: Sequence[int]) -> None:
        """Print what ``--fix`` would do; *others* are further lists, their names with spaces for dashes."""
        if not (accept or reject or any(others.values())):
            self.say("No pending commissions.")
        lists: Mapping[str, Sequence[int]] = {
            "Pending commissions to be accepted": accept,
            "Pending commissions to be rejected": reject,
            **{f"Pending commissions {name.replace('_', ' ')}": serials for name, serials in others.items()},
        }
        self.print_show({name: list(serials) for name, serials in lists.items()})

    def show_resolved(
        self, *, accepted: Sequence[int], rejected: Sequence[int], failed: Sequence[int]
    ) -> None:
        """Print what was done; raises ``CommandError`` when something failed."""
        self.print_show({"Accepted": list(accepted), "Rejected": list(rejected), "Failed": list(failed)})
        if failed:
            raise CommandError("Some commissions could not be resolved.", returncode=EXIT_PARTIAL)
