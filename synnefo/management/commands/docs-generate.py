"""Write the generated references."""

from pathlib import Path
from typing import Any

from synnefo.management import references
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Write docs/reference/ and the configuration samples of conf/ again from the code."

    def handle(self, *args: Any, **options: Any) -> None:
        root = Path(__file__).resolve().parents[3]
        changed = references.write(root)
        self.say("\n".join(f"wrote {name}" for name in changed) or "everything is up to date")
