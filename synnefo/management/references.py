"""The generated references: settings, configuration samples, commands, API routes.

``docs-generate`` writes them; a test compares them with the tree, so that none goes stale.
"""

from __future__ import annotations

import argparse
import pprint
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

from django.core.management import get_commands, load_command_class
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from synnefo import settings_registry
from synnefo.settings_registry import Setting

_HEADER = "<!-- Written by `make docs`; change the code it describes instead. -->\n\n"
#: Apps whose commands are ours.
OUR_APPS = ("synnefo", "branding", "astakos", "pithos", "cyclades", "stats")
SERVICES = ("astakos", "pithos", "cyclades", "stats")


def documents() -> dict[str, str]:
    """Return every generated file as path relative to the tree → content."""
    files = {
        "docs/reference/settings.md": _HEADER + settings_page(),
        "docs/reference/commands.md": _HEADER + commands_page(),
        "docs/reference/api.md": _HEADER + api_page(),
    }
    for conf, text in configuration_samples().items():
        files[f"conf/{conf}.conf"] = text
    return files


def write(root: Path) -> list[str]:
    """Write the generated files below *root*; return those that changed."""
    changed = []
    for name, text in documents().items():
        path = root / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def _by_file() -> dict[str, list[Setting]]:
    groups: dict[str, list[Setting]] = defaultdict(list)
    for setting in (*settings_registry.declared().values(), *settings_registry.families().values()):
        groups[setting.conf].append(setting)
    return dict(sorted(groups.items()))


def settings_page() -> str:
    """Return the settings reference, grouped by the file a setting ships in."""
    lines = [
        "# Settings",
        "",
        "Set these in a `*.conf` file of `/etc/synnefo` (or `$SYNNEFO_SETTINGS_DIR`), or as the environment",
        "variable `SNF_<NAME>`; `SNF_<NAME>_FILE` names a file that holds the value.",
    ]
    for conf, settings in _by_file().items():
        lines += ["", f"## {conf}.conf", "", "| Setting | Type | Default | Meaning |", "|---|---|---|---|"]
        for setting in settings:
            default = "(secret)" if setting.secret else f"`{setting.default!r}`"
            if setting.name in settings_registry.families():
                default = "not set"
            choices = f" One of {', '.join(f'`{c!r}`' for c in setting.choices)}." if setting.choices else ""
            row = (f"`{setting.name}`", setting.type_name, default, setting.help + choices)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines) + "\n"


def configuration_samples() -> dict[str, str]:
    """Return the shipped ``*.conf`` files: every setting with its default, commented out."""
    samples = {}
    for conf, settings in _by_file().items():
        parts = [
            f"# {conf}.conf: defaults, commented out. Your values go into a later file such as 99-local.conf."
        ]
        for setting in settings:
            if setting.name in settings_registry.families():
                parts.append(f"# {setting.help}\n# {setting.name} = ...")
                continue
            literal = pprint.pformat(setting.default, width=90, sort_dicts=False).replace("\n", "\n# ")
            parts.append(f"# {setting.help}\n# {setting.name} = {literal}")
        samples[conf] = "\n\n".join(parts) + "\n"
    return samples


def our_commands() -> dict[str, str]:
    """Return the names of this project's commands with their apps."""
    return {name: app for name, app in sorted(get_commands().items()) if app in OUR_APPS}


def commands_page() -> str:
    """Return the command reference: purpose, usage and options of each ``snf-manage`` command."""
    lines = [
        "# Commands",
        "",
        "Run as `snf-manage <command>`; `--help` prints the same with an explanation.",
        "",
    ]
    groups: dict[str, list[str]] = defaultdict(list)
    for name, app in our_commands().items():
        groups[app].append(name)
    for app in OUR_APPS:
        if groups.get(app):
            lines += [f"## {app}", ""]
            for name in groups[app]:
                lines += _command(app, name)
    return "\n".join(lines).rstrip() + "\n"


_DJANGO_OPTIONS = frozenset(
    [
        "--help",
        "--version",
        "--verbosity",
        "--settings",
        "--pythonpath",
        "--traceback",
        "--no-color",
        "--force-color",
        "--skip-checks",
    ]
)


def _command(app: str, name: str) -> Iterator[str]:
    parser = load_command_class(app, name).create_parser("snf-manage", name)
    yield f"### {name}"
    yield ""
    yield re.sub(r"\s+", " ", str(parser.description or "")).strip()
    yield ""
    rows = list(_arguments(parser))
    if rows:
        yield from ("| Argument | Meaning |", "|---|---|", *rows, "")


def _arguments(parser: argparse.ArgumentParser, prefix: str = "") -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, inner in action.choices.items():
                yield f"| `{name}` | {summaries.get(name, '')} |"
                yield from _arguments(inner, f"{name} ")
            continue
        if _DJANGO_OPTIONS & set(action.option_strings) or action.help == argparse.SUPPRESS:
            continue
        names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        meaning = re.sub(r"\s+", " ", (action.help or "").replace("%(default)s", str(action.default))).strip()
        if action.required and action.option_strings:
            meaning += " Required."
        yield f"| `{prefix}{names}` | {meaning} |".replace("||", "|")


def api_page() -> str:
    """Return every URL pattern of the project."""
    lines = ["# API routes", "", "Paths are regular expressions below each service's base URL."]
    for service in SERVICES:
        lines += ["", f"## {service}", "", "| Path | Verbs |", "|---|---|"]
        for pattern, verbs in sorted(set(_walk(import_module(f"{service}.urls").urlpatterns, ""))):
            cell = pattern.replace("(?:/|$)", "/").replace("|", "\\|")
            lines.append(f"| `{cell}` | {verbs} |")
    return "\n".join(lines) + "\n"


def routes() -> Iterator[tuple[str, str]]:
    """Yield (regular expression, verbs) of every API route but the catch-alls."""
    for path, pattern in _leaves(get_resolver().url_patterns, ""):
        verbs = getattr(pattern.callback, "verbs", None)
        if verbs:
            yield path, ", ".join(verbs)


def open_routes() -> Iterator[str]:
    """Yield the API routes whose dialect asks for no token."""
    for path, pattern in _leaves(get_resolver().url_patterns, ""):
        if getattr(pattern.callback, "verbs", None) and getattr(pattern.callback, "is_open", True):
            yield path


def pages() -> Iterator[str]:
    """Yield the routes of pages and of what monitoring reads: everything that is no API."""
    for path, pattern in _leaves(get_resolver().url_patterns, ""):
        if getattr(pattern.callback, "verbs", None) is None:
            yield path


def _walk(patterns: Iterable[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, str]]:
    for path, pattern in _leaves(patterns, prefix):
        verbs = getattr(pattern.callback, "verbs", None)
        if verbs != ():
            yield path, ", ".join(verbs or ("GET",))


def _leaves(patterns: Iterable[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        part = str(pattern.pattern)
        part = re.escape(part) if isinstance(pattern.pattern, RoutePattern) else part.lstrip("^")
        if isinstance(pattern, URLResolver):
            yield from _leaves(pattern.url_patterns, prefix + part)
        else:
            yield prefix + part, pattern
