"""``snf-component-register [COMPONENT]``: register the standard components, or refresh their services.

Runs on the host of identity, asks for what it needs and may be repeated (administrator's contract 6.1).
Components keep their ids and tokens; only what they offer is replaced.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable

from synnefo.service_export import COMPONENTS, ExportError, export

Ask = Callable[[str], str]
Manage = Callable[[list[str], str], str]


class RegistrationError(Exception):
    """A step failed; the text says which."""


class Registrar:
    """One run over some components.

    *ask* puts a question to the administrator and returns the answer; *manage* runs a command, given its
    words and its standard input, and returns what it prints.
    """

    def __init__(
        self, ask: Ask, manage: Manage, *, base_url: str = "", ui_url: str = "", assume_yes: bool = False
    ) -> None:
        self.ask = ask
        self.manage = manage
        self.base_url = base_url
        self.ui_url = ui_url
        self.assume_yes = assume_yes
        self.added = False

    def register(self, name: str) -> None:
        """Register *name*, or refresh it, if the administrator agrees."""
        known = name in self._registered()
        question = f"{name} is registered already. Register its services again?" if known else (
            f"{name} is not registered. Register it?"
        )  # fmt: skip
        if not self._agreed(question):
            return
        base_url, ui_url = self._addresses(name)
        if not self._agreed(f"Base URL {base_url}, UI URL {ui_url}. Is this right?"):
            return
        document = export(name, base_url)
        urls = ["--base-url", base_url, "--ui-url", ui_url]
        if known:
            self.manage(["component-modify", name, *urls, "--purge-services"], "")
        else:
            self._show_token(name, self.manage(["component-add", name, *urls], ""))
            self.added = True
        self.manage(["service-import", "--json=-"], document)
        _say(f"The services of {name} are registered.")

    def _addresses(self, name: str) -> tuple[str, str]:
        base_url = self.base_url or self.ask(f"Base URL (e.g. https://node1.example.com/{name}): ").strip()
        if not base_url:
            raise RegistrationError("A base URL is needed")
        base_url = base_url.rstrip("/")
        example = f"{base_url}/ui"
        ui_url = self.ui_url
        if not ui_url and not self.assume_yes:
            ui_url = self.ask(f"UI URL (Enter for {example}): ").strip()
        return base_url, ui_url or example

    def _show_token(self, name: str, output: str) -> None:
        _say(output.strip())
        if name == "astakos":
            return
        _say(f"Set {name.upper()}_SERVICE_TOKEN to this token on the hosts of {name}.")
        if not self.assume_yes:
            self.ask("Press Enter to go on. ")

    def _agreed(self, question: str) -> bool:
        return self.assume_yes or self.ask(f"{question} (y/n) ").strip().lower() in ("y", "yes")

    def _registered(self) -> set[str]:
        rows = json.loads(self.manage(["component-list", "--output-format", "json"], ""))
        return {row["name"] for row in rows}


def run_command(words: list[str], stdin: str) -> str:
    """Run a management command with this host's settings; raises ``RegistrationError`` when it fails."""
    result = subprocess.run(
        [sys.executable, "-m", "synnefo.cli", *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RegistrationError(f"{words[0]} failed: {result.stderr.strip()}")
    return result.stdout


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _ask(question: str) -> str:
    try:
        return input(question)
    except EOFError:
        raise RegistrationError("No answer; use --base-url, --ui-url and --yes to run unattended") from None


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="snf-component-register", description=__doc__)
    parser.add_argument("component", nargs="?", choices=COMPONENTS, help="Only this one.")
    parser.add_argument("--base-url", default="", help="Where its services hang; needs COMPONENT.")
    parser.add_argument("--ui-url", default="", help="Where its pages are; needs COMPONENT.")
    parser.add_argument("--yes", action="store_true", help="Ask nothing that has a sensible answer.")
    options = parser.parse_args()
    if (options.base_url or options.ui_url) and not options.component:
        parser.error("--base-url and --ui-url are about one component: name it")
    return options


def main() -> int:
    """Register what the command line names, by default all standard components."""
    options = _parsed()
    registrar = Registrar(
        _ask, run_command, base_url=options.base_url, ui_url=options.ui_url, assume_yes=options.yes
    )
    try:
        for name in [options.component] if options.component else COMPONENTS:
            registrar.register(name)
    except (RegistrationError, ExportError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    if registrar.added:
        _say("Limits of new users: snf-manage resource-modify RESOURCE --system-default LIMIT")
    return 0


if __name__ == "__main__":
    sys.exit(main())
