"""Settings of the identity and quota service (identity contract 5)."""

from __future__ import annotations

from astakos import (  # noqa: F401  (each declares its own settings)
    account_settings,
    login_settings,
    oauth2_settings,
    page_settings,
    project_settings,
    token_settings,
)
from synnefo.settings_registry import declare, declare_family

_ADMINS = "00-snf-common-admins"
_SETTINGS = "20-snf-astakos-app-settings"
_NOTIFICATIONS = "20-snf-astakos-app-notifications"

declare(
    "ASTAKOS_BASE_URL", "https://accounts.example.synnefo.org", type=str, conf=_SETTINGS,
    help="Where this service is reached from outside; its path part decides where the service hangs.",
)  # fmt: skip
declare(
    "ASTAKOS_AUTH_TOKEN_DURATION", 720, type=int, conf=_SETTINGS,
    help="Hours a user's token is good for after it was issued.",
)  # fmt: skip
declare(
    "ASTAKOS_MODERATION_ENABLED", True, type=bool, conf=_SETTINGS,
    help="Whether staff must accept a user whose e-mail address is verified.",
)  # fmt: skip
declare(
    "ASTAKOS_RE_USER_EMAIL_PATTERNS", [], type=(list, tuple), conf=_SETTINGS,
    help="Regular expressions; an address that matches one from its start is accepted without moderation.",
)  # fmt: skip
declare(
    "ASTAKOS_ENDPOINT_CACHE_TIMEOUT", 60, type=int, conf=_SETTINGS,
    help="Seconds the service catalog may be out of date after a registration.",
)  # fmt: skip
declare(
    "ASTAKOS_ENDPOINT_LOCAL_CACHE_TIMEOUT", 5, type=int, conf=_SETTINGS,
    help="Seconds a web process answers the service catalog from its own memory; 0 means never.",
)  # fmt: skip
declare(
    "ASTAKOS_RESOURCE_CACHE_TIMEOUT", 60, type=int, conf=_SETTINGS,
    help="Seconds the public list of resources may be out of date after a change.",
)  # fmt: skip
declare(
    "ASTAKOS_PROJECT_ADMINS", set(), type=(set, frozenset, list, tuple), conf=_SETTINGS,
    help="Uuids of the users who may see and decide about every project.",
)  # fmt: skip
declare(
    "ASTAKOS_COMPONENTS_META", {}, type=dict, conf=_SETTINGS,
    help="Order, name and visibility of components in the cloud bar, by component; merged over defaults.",
)  # fmt: skip
declare(
    "ASTAKOS_LOGGING_LEVEL", None, type=(str, type(None)), conf=_SETTINGS,
    choices=(None, "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    help="Least severity of this service's own log lines; None means LOG_LEVEL.",
)  # fmt: skip
declare("HELPDESK", (), type=(list, tuple), conf=_ADMINS, help="(name, mail) pairs of the support staff.")
declare(
    "FEEDBACK_NOTIFICATIONS_RECIPIENTS", None, type=(list, tuple, type(None)), conf=_NOTIFICATIONS,
    help="(name, mail) pairs that receive users' feedback; None means HELPDESK.",
)  # fmt: skip
declare(
    "ACCOUNT_NOTIFICATIONS_RECIPIENTS", None, type=(list, tuple, type(None)), conf=_NOTIFICATIONS,
    help="(name, mail) pairs told about accounts; None means HELPDESK, MANAGERS and ADMINS.",
)  # fmt: skip
declare(
    "ACCOUNT_PENDING_MODERATION_RECIPIENTS", None, type=(list, tuple, type(None)), conf=_NOTIFICATIONS,
    help="(name, mail) pairs told of an account to moderate; None means ACCOUNT_NOTIFICATIONS_RECIPIENTS.",
)  # fmt: skip
declare(
    "ACCOUNT_ACTIVATED_RECIPIENTS", None, type=(list, tuple, type(None)), conf=_NOTIFICATIONS,
    help="(name, mail) pairs told that an account was accepted; None means ACCOUNT_NOTIFICATIONS_RECIPIENTS.",
)  # fmt: skip
declare_family(
    "ASTAKOS_<ID>_MESSAGE", type=str, conf=_SETTINGS,
    help="Replaces the subject <ID> of a mail, with its %(name)s fields; texts of pages are in templates.",
)  # fmt: skip
