"""Every setting is declared once, with type, default and help; configuration is checked against it.

Values come from the defaults, then every ``*.conf`` of the settings directory (Python syntax, sorted by
name, one shared namespace), then ``SNF_<NAME>`` of the environment (or ``SNF_<NAME>_FILE``, which names a
file that holds the value). Imports no Django.
"""

from __future__ import annotations

import ast
import difflib
import os
import re
import traceback
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class SettingsError(Exception):
    """A configuration file or variable is wrong; the text names file, key and remedy."""


@dataclass(frozen=True)
class Setting:
    """One declared setting; ``conf`` names the shipped file it appears in."""

    name: str
    default: Any
    type: tuple[type, ...]
    help: str
    conf: str
    secret: bool = False
    choices: tuple[Any, ...] | None = None

    @property
    def type_name(self) -> str:
        """Return the type as documentation shows it."""
        return " or ".join("None" if t is type(None) else t.__name__ for t in self.type)

    def problem_with(self, value: Any) -> str | None:
        """Return why *value* does not fit, or ``None`` when it does."""
        is_bool_for_int = isinstance(value, bool) and bool not in self.type
        if not isinstance(value, self.type) or is_bool_for_int:
            return f"must be of type {self.type_name}, not {type(value).__name__}"
        if self.choices is not None and value not in self.choices:
            return f"must be one of {', '.join(map(repr, self.choices))}"
        return None


_declared: dict[str, Setting] = {}
_families: dict[str, Setting] = {}
_ONE_PROJECT = "the services are one program here and ask each other directly"
_LOGGED_ALIKE = "LOG_LEVEL, LOG_FORMAT and LOG_FILE say how everything logs"
_NO_VALUES_IN_REPORTS = "reports and logs hold no values of settings, cookies, headers or variables"
_DATABASE = "everything is in the database that DATABASES names"
_CACHES = "CACHES names the one cache"
_STORES = "PITHOS_BACKEND_STORAGE says where blocks are kept"
_NOT_HERE = "this release has no such application"
_NO_PAGES = "this release has no pages for servers, networks and images"
#: Names of older releases that mean nothing any more, and why; they are accepted, and a check tells of them.
_IGNORED: dict[str, str] = {
    "ADMIN_BASE_URL": _NOT_HERE,
    "AMQP_BACKEND": "there is one client of the message broker",
    "ASTAKOS_AUTH_URL": _ONE_PROJECT,
    "ASTAKOS_ENABLE_LOCAL_ACCOUNT_MIGRATION": "it had no effect before either",
    "ASTAKOS_IM_STATIC_URL": "static files are served below /static/",
    "ASTAKOS_RECAPTCHA_USE_SSL": "captcha services are asked by HTTPS only",
    "BACKEND_DB_CONNECTION": _DATABASE,
    "CYCLADES_ASTAKOSCLIENT_POOLSIZE": _ONE_PROJECT,
    "CYCLADES_GANETI_USE_HOTPLUG": "GANETI_USE_HOTPLUG says it",
    "CYCLADES_PROXY_PREFIX": _ONE_PROJECT,
    "CYCLADES_SERVICE_TOKEN": _ONE_PROJECT,
    "DEFAULT_KEYWORDS": _NO_PAGES,
    "DISPATCHER_LOGGING_SETUP": _LOGGED_ALIKE,
    "GRAPH_PREFIX": "graphs are kept in the cache that CACHES names",
    "HELPDESK_AUTH_COOKIE_NAME": _NOT_HERE,
    "HELPDESK_ENABLED": _NOT_HERE,
    "HELPDESK_MEDIA_URL": _NOT_HERE,
    "HELPDESK_PERMITTED_GROUPS": _NOT_HERE,
    "HELPDESK_SHOW_DELETED_VMS": _NOT_HERE,
    "HIDDEN_COOKIES": _NO_VALUES_IN_REPORTS,
    "HIDDEN_HEADERS": _NO_VALUES_IN_REPORTS,
    "HIDDEN_SETTINGS": _NO_VALUES_IN_REPORTS,
    "HIDDEN_STACKVARS": _NO_VALUES_IN_REPORTS,
    "IMAGE_ICONS": _NO_PAGES,
    "LOGGING_SETUP": _LOGGED_ALIKE,
    "MAIL_MAX_LEN": "errors are logged, not mailed",
    "OAUTH2_USER_MODEL": "it had no effect before either",
    "PITHOS_ASTAKOSCLIENT_POOLSIZE": _ONE_PROJECT,
    "PITHOS_BACKEND_ACCOUNT_QUOTA": "every account has a quota of its user and project",
    "PITHOS_BACKEND_ARCHIPELAGO_CONF": _STORES,
    "PITHOS_BACKEND_BLOCK_KWARGS": _STORES,
    "PITHOS_BACKEND_BLOCK_MODULE": _STORES,
    "PITHOS_BACKEND_DB_CONNECTION": _DATABASE,
    "PITHOS_BACKEND_DB_MODULE": _DATABASE,
    "PITHOS_BACKEND_MAPFILE_PREFIX": _STORES,
    "PITHOS_BACKEND_MAP_CHECK_INTERVAL": _STORES,
    "PITHOS_BACKEND_POOL_ENABLED": "each web process has one connection",
    "PITHOS_BACKEND_POOL_SIZE": "each web process has one connection",
    "PITHOS_BACKEND_QUEUE_EXCHANGE": "nothing is billed through a queue",
    "PITHOS_BACKEND_QUEUE_HOSTS": "nothing is billed through a queue",
    "PITHOS_BACKEND_QUEUE_MODULE": "nothing is billed through a queue",
    "PITHOS_BACKEND_XSEG_POOL_SIZE": _STORES,
    "PITHOS_SERVICE_TOKEN": _ONE_PROJECT,
    "PUBLIC_STATS_CACHE": _CACHES,
    "SNF_MANAGE_GROUP": "commands run as who calls them",
    "SNF_MANAGE_LOGGING_SETUP": _LOGGED_ALIKE,
    "SNF_MANAGE_USER": "commands run as who calls them",
    "STATIC_FILES": "applications bring their own static files",
    "TEMPLATE_DEBUG": "DEBUG says it",
    "TIMEOUT": _NO_PAGES,
    "UI_AUTH_COOKIE_NAME": _NO_PAGES,
    "UI_AUTOMATIC_NETWORK_RANGE_FORMAT": _NO_PAGES,
    "UI_BASE_URL": _NOT_HERE,
    "UI_CHANGES_SINCE_ALIGNMENT": _NO_PAGES,
    "UI_CONNECT_PROMPT_MESSAGES": _NO_PAGES,
    "UI_CUSTOM_IMAGE_HELP_URL": _NO_PAGES,
    "UI_DELAY_ON_BLUR": _NO_PAGES,
    "UI_DIAGNOSTICS_UPDATE_INTERVAL": _NO_PAGES,
    "UI_ENABLE_GLANCE": _NO_PAGES,
    "UI_EXTRA_RDP_CONTENT": _NO_PAGES,
    "UI_FLAVORS_DISK_TEMPLATES_INFO": _NO_PAGES,
    "UI_FORCED_SERVER_NETWORKS": _NO_PAGES,
    "UI_GROUP_PUBLIC_NETWORKS": _NO_PAGES,
    "UI_HANDLE_WINDOW_EXCEPTIONS": _NO_PAGES,
    "UI_HOTPLUG_ENABLED": _NO_PAGES,
    "UI_IMAGE_LISTING_USERS": _NO_PAGES,
    "UI_NETWORK_ALLOW_DUPLICATE_VM_NICS": _NO_PAGES,
    "UI_NETWORK_AVAILABLE_NETWORK_TYPES": _NO_PAGES,
    "UI_NETWORK_AVAILABLE_SUBNETS": _NO_PAGES,
    "UI_NETWORK_STRICT_DESTROY": _NO_PAGES,
    "UI_NO_FQDN_MESSAGE": _NO_PAGES,
    "UI_OS_DEFAULT_USER_MAP": _NO_PAGES,
    "UI_QUOTAS_UPDATE_INTERVAL": _NO_PAGES,
    "UI_SKIP_TIMEOUTS": _NO_PAGES,
    "UI_SSH_SUPPORT_OSFAMILY_EXCLUDE_LIST": _NO_PAGES,
    "UI_SUPPORT_SSH_OS_LIST": _NO_PAGES,
    "UI_SYSTEM_IMAGES_OWNERS": _NO_PAGES,
    "UI_UPDATE_HIDDEN_VIEWS": _NO_PAGES,
    "UI_UPDATE_INTERVAL_INCREASE_AFTER_CALLS_COUNT": "it is four",
    "UI_VM_HOSTNAME_FORMAT": _NO_PAGES,
    "UI_VM_IMAGE_COMMON_METADATA": _NO_PAGES,
    "USERDATA_SSH_KEY_EXPONENT": "keys are made with the exponent that all SSH programs use",
    "USE_L10N": "Django always does it",
    "VMAPI_CACHE": _CACHES,
    "VM_CREATE_NAME_TPL": _NO_PAGES,
    "VM_CREATE_SUGGESTED_FLAVORS": _NO_PAGES,
    "VM_CREATE_SUGGESTED_ROLES": _NO_PAGES,
    "VM_IMAGE_COMMON_METADATA": _NO_PAGES,
    "VM_PASSWORD_CACHE": _CACHES,
    "WEBPROJECT_SERVE_STATIC": "web processes always serve static files",
}


def ignored(namespace: Mapping[str, Any]) -> dict[str, str]:
    """Return the names that *namespace* sets in vain, each with the reason."""
    return {name: reason for name, reason in _IGNORED.items() if name in namespace}


def declare(
    name: str,
    default: Any,
    *,
    type: type | tuple[type, ...],
    help: str,
    conf: str,
    secret: bool = False,
    choices: tuple[Any, ...] | None = None,
) -> None:
    """Declare a setting; called at import of an app's ``settings.py``.

    ``type`` is what a value must be an instance of; ``secret`` keeps it out of reports. Raises
    ``SettingsError`` when the name is taken or the default does not fit its own declaration.
    """
    types = type if isinstance(type, tuple) else (type,)
    setting = Setting(name, default, types, help, conf, secret, choices)
    if name in _declared and _declared[name] != setting:
        raise SettingsError(f"the setting {name} is declared twice")
    problem = setting.problem_with(default)
    if problem:
        raise SettingsError(f"the default of {name} {problem}")
    _declared[name] = setting


def declare_family(
    pattern: str, *, type: type | tuple[type, ...], help: str, conf: str, secret: bool = False
) -> None:
    """Declare settings whose names contain a variable part; *pattern* marks it as ``<PART>``.

    They have no default: code reads them with ``family_value`` and says what an unset one means.
    """
    types = type if isinstance(type, tuple) else (type,)
    _families[pattern] = Setting(pattern, None, types, help, conf, secret)


def families() -> Mapping[str, Setting]:
    """Return all declared families by pattern."""
    return dict(sorted(_families.items()))


def family_of(name: str) -> Setting | None:
    """Return the family that *name* belongs to; the pattern with the longest fixed part wins."""
    fitting = [
        family
        for pattern, family in _families.items()
        if re.fullmatch(re.sub(r"<[A-Z_]+>", "[A-Z0-9_]+", pattern), name)
    ]
    return max(fitting, key=lambda family: len(re.sub(r"<[A-Z_]+>", "", family.name)), default=None)


def declared() -> Mapping[str, Setting]:
    """Return all declared settings by name."""
    return dict(sorted(_declared.items()))


def defaults() -> dict[str, Any]:
    """Return fresh copies of all defaults, so that configuration may extend lists in place."""
    return {name: _copy(setting.default) for name, setting in _declared.items()}


def _copy(value: Any) -> Any:
    if isinstance(value, list):
        return [_copy(item) for item in value]
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return value


def load_directory(directory: str, namespace: MutableMapping[str, Any], known: set[str]) -> list[str]:
    """Execute every ``*.conf`` of *directory* in *namespace* and check what each one sets.

    *known* are further names that may be set (Django's own). Returns the files read. Raises
    ``SettingsError`` naming file, key and the nearest known name.
    """
    folder = Path(directory)
    files = sorted(folder.glob("*.conf")) if folder.is_dir() else []
    for file in files:
        before = dict(namespace)
        _execute(file, namespace)
        for name, value in list(namespace.items()):
            if name.isupper() and (name not in before or before[name] is not value):
                check(name, value, known, str(file))
    for name, setting in _declared.items():
        problem = setting.problem_with(namespace.get(name))
        if problem:
            raise SettingsError(f"{directory}: {name} {problem}")
    return [str(file) for file in files]


def _execute(file: Path, namespace: MutableMapping[str, Any]) -> None:
    try:
        source = file.read_text(encoding="utf-8")
        exec(compile(source, str(file), "exec"), namespace)  # type: ignore[arg-type]  # a dict in all calls
    except Exception as error:  # whatever a site's own code raises
        raise SettingsError(
            f"cannot read {file}: {traceback.format_exception_only(error)[-1].strip()}"
        ) from error


def check(name: str, value: Any, known: set[str], where: str) -> None:
    """Raise ``SettingsError`` unless *name* may be set to *value*; *where* names the source."""
    setting = _declared.get(name) or family_of(name)
    if setting is None:
        if name in known or name in _IGNORED:
            return
        nearest = difflib.get_close_matches(name, [*_declared, *known], n=1, cutoff=0.6)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise SettingsError(f"{where}: unknown setting {name}{hint}")
    problem = setting.problem_with(value)
    if problem:
        raise SettingsError(f"{where}: {name} {problem}")


def load_environment(namespace: MutableMapping[str, Any], environ: Mapping[str, str] = os.environ) -> None:
    """Apply ``SNF_<NAME>`` and ``SNF_<NAME>_FILE`` for every declared setting."""
    named = {
        variable.removeprefix("SNF_").removesuffix("_FILE")
        for variable in environ
        if variable.startswith("SNF_")
    }
    settings = {**_declared, **{name: family for name in named if (family := family_of(name))}}
    for name, setting in settings.items():
        variable = f"SNF_{name}"
        if f"{variable}_FILE" in environ:
            text = Path(environ[f"{variable}_FILE"]).read_text(encoding="utf-8").rstrip("\n")
        elif variable in environ:
            text = environ[variable]
        else:
            continue
        value = _parse(setting, text, variable)
        check(name, value, set(), variable)
        namespace[name] = value


def _parse(setting: Setting, text: str, variable: str) -> Any:
    """Strings are taken as they are; every other type is written as a Python literal."""
    if str in setting.type and not (type(None) in setting.type and text == "None"):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        raise SettingsError(
            f"{variable}: '{text[:60]}' is not a Python literal of type {setting.type_name}"
        ) from error
