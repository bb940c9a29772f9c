"""Printing an object together with the tables that belong to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synnefo.management import tables
from synnefo.management.base import SynnefoCommand

Section = tuple[Sequence[str], Sequence[Sequence[Any]]]


class ShowCommand(SynnefoCommand):
    """A command that shows one object; JSON stays a single document when tables follow."""

    def print_object(self, fields: Mapping[str, Any], sections: Mapping[str, Section] | None = None) -> None:
        """Print *fields*, then each titled section."""
        if not sections or self.style_name != "json":
            self.print_show(fields)
            for title, (headers, rows) in (sections or {}).items():
                self.stdout.write("")
                self.print_table(headers, rows, title=title)
            return
        document: dict[str, Any] = dict(fields)
        for title, (headers, rows) in sections.items():
            document[title] = [dict(zip(headers, row, strict=True)) for row in rows]
        self.stdout.write(tables.json_text(document), ending="")
