"""The few settings that programs on Ganeti nodes read, without Django (ganeti-backend contract 13).

Values come from the ``*.conf`` files of a directory (Python syntax, in sorted order), then from environment
variables ``SNF_<NAME>``, or ``SNF_<NAME>_FILE`` naming a file with the value: the services' own rule.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT_DIRECTORY = "/etc/synnefo"
DEFAULTS: Mapping[str, Any] = {
    "BACKEND_PREFIX_ID": "snf-",
    "EXCHANGE_GANETI": "ganeti",
    "AMQP_HOSTS": ["amqp://username:password@host:port"],
}


class SettingsError(Exception):
    """A settings file or variable can't be used; the text names it."""


@dataclass(frozen=True)
class NodeSettings:
    """The settings of a Ganeti node.

    backend_prefix_id: how this installation's Ganeti names begin.
    exchange_ganeti: the AMQP exchange that messages go to.
    amqp_hosts: URLs of the brokers.
    """

    backend_prefix_id: str
    exchange_ganeti: str
    amqp_hosts: tuple[str, ...]


def load(directory: str | None = None, environment: Mapping[str, str] | None = None) -> NodeSettings:
    """Read the settings; raise `SettingsError` naming the file or variable that is wrong.

    directory: where the ``*.conf`` files are; by default ``SYNNEFO_SETTINGS_DIR`` or /etc/synnefo.
    environment: used instead of the process's environment.
    """
    variables = os.environ if environment is None else environment
    folder = Path(directory or variables.get("SYNNEFO_SETTINGS_DIR") or DEFAULT_DIRECTORY)
    values = dict(DEFAULTS)
    values.update(_read_files(folder))
    for name, default in DEFAULTS.items():
        text = _variable(name, variables)
        if text is not None:
            values[name] = _parse_variable(name, text, default)
        _check(name, values[name], default)
    return NodeSettings(
        backend_prefix_id=values["BACKEND_PREFIX_ID"],
        exchange_ganeti=values["EXCHANGE_GANETI"],
        amqp_hosts=tuple(values["AMQP_HOSTS"]),
    )


def _read_files(folder: Path) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    for path in sorted(folder.glob("*.conf")):
        try:
            exec(compile(path.read_bytes(), str(path), "exec"), namespace)  # noqa: S102  (the administrator's own file)
        except Exception as error:
            raise SettingsError(f"{path}: {type(error).__name__}: {error}") from error
    return {name: value for name, value in namespace.items() if name in DEFAULTS}


def _variable(name: str, variables: Mapping[str, str]) -> str | None:
    path = variables.get(f"SNF_{name}_FILE")
    if path is None:
        return variables.get(f"SNF_{name}")
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise SettingsError(f"SNF_{name}_FILE: {error}") from error


def _parse_variable(name: str, text: str, default: object) -> Any:
    """Texts are taken as they are; a list is written as a Python literal."""
    if isinstance(default, str):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        raise SettingsError(f"SNF_{name} is not a Python literal of type list") from error


def _check(name: str, value: object, default: object) -> None:
    if isinstance(default, str):
        if not isinstance(value, str) or not value:
            raise SettingsError(f"{name} must be a non-empty text")
        if name == "BACKEND_PREFIX_ID" and "-" not in value:
            raise SettingsError("BACKEND_PREFIX_ID must end with a dash")
        return
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(item, str) for item in value):
        raise SettingsError(f"{name} must be a non-empty list of texts")
