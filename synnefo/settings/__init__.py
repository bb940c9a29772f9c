"""Django's settings, put together from the registry, the configuration files and the environment."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from django.conf import global_settings

from synnefo import (
    kernel_settings,  # noqa: F401  (declares the kernel's settings)
    logs,
    settings_registry,
)

#: Each service with those whose tables and functions it uses.
_ALL_SERVICES = {"astakos": (), "pithos": ("astakos",), "cyclades": ("pithos", "astakos"), "stats": ()}
_SUPPORT_APPS = ("branding",)

for _app in (*_SUPPORT_APPS, *_ALL_SERVICES):
    importlib.import_module(f"{_app}.settings")

_namespace: dict[str, Any] = settings_registry.defaults()
_known = {name for name in dir(global_settings) if name.isupper()} | {"INSTALLED_APPS", "MIDDLEWARE"}
_namespace["INSTALLED_APPS"] = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "synnefo",
    *_SUPPORT_APPS,
    *_ALL_SERVICES,
]
_namespace["MIDDLEWARE"] = [
    "synnefo.middleware.TrustedProxyMiddleware",
    "synnefo.middleware.RequestIdMiddleware",
    "synnefo.content_security.ContentSecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "synnefo.page_middleware.SessionMiddleware",
    "synnefo.page_middleware.CsrfViewMiddleware",
    "synnefo.page_middleware.AuthenticationMiddleware",
    "synnefo.page_middleware.MessageMiddleware",
    "astakos.web.cookie_middleware.CookieMiddleware",
    "branding.middleware.PagesMiddleware",
]

try:
    _directory = os.environ.get("SYNNEFO_SETTINGS_DIR", "/etc/synnefo")
    settings_registry.load_directory(_directory, _namespace, _known)
    settings_registry.load_environment(_namespace)
except settings_registry.SettingsError as _error:
    sys.exit(f"Configuration error: {_error}")

_services = tuple(_namespace["SYNNEFO_SERVICES"])
_unknown = [name for name in _services if name not in _ALL_SERVICES]
if _unknown:
    sys.exit(f"Configuration error: SYNNEFO_SERVICES names unknown services: {', '.join(_unknown)}")
# Users and quota are everywhere; a service that is only needed by another has no URLs and no commands.
_needed = {"astakos", *_services, *(other for name in _services for other in _ALL_SERVICES[name])}
_namespace["INSTALLED_APPS"] = [
    app for app in _namespace["INSTALLED_APPS"] if app not in _ALL_SERVICES or app in _needed
]

for _database in _namespace["DATABASES"].values():
    if _database.get("ENGINE", "").endswith("sqlite3"):
        # Writers queue for the one write lock instead of failing half-way through a transaction.
        _options = _database.setdefault("OPTIONS", {})
        _options.setdefault("transaction_mode", "IMMEDIATE")
        _options.setdefault("timeout", 20)
        _options.setdefault("init_command", "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
    else:
        if _database.get("ENGINE") == "django.db.backends.postgresql":
            _database["ENGINE"] = "synnefo.db.postgresql"
        _database.setdefault("CONN_MAX_AGE", 600)
        _database.setdefault("CONN_HEALTH_CHECKS", True)

globals().update({name: value for name, value in _namespace.items() if name.isupper()})

ROOT_URLCONF = "synnefo.urls"
WSGI_APPLICATION = "synnefo.wsgi.application"
AUTH_USER_MODEL = "astakos.User"
AUTHENTICATION_BACKENDS = ["astakos.web.backend.SessionUserBackend"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
APPEND_SLASH = False
STATIC_URL = "/static/"
# Style sheets and scripts are served from the installed packages; no collecting step to run.
WHITENOISE_USE_FINDERS = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [*_namespace["TEMPLATE_DIRS"], str(Path(_directory) / "templates")],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "branding.context.branding",
                "astakos.web.notices.site_notices",
            ]
        },
    }
]
LANGUAGES = [("en", "English"), ("el", "Ελληνικά")]
CSRF_FAILURE_VIEW = "branding.errors.csrf_failure"
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# Object bodies stream past Django; what it does buffer (JSON, forms) is bounded by each reader.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 << 20
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
LOGGING = logs.setup(
    json_lines=_namespace["LOG_FORMAT"] == "json",
    level=_namespace["LOG_LEVEL"],
    log_file=_namespace["LOG_FILE"],
    levels={"astakos": _namespace["ASTAKOS_LOGGING_LEVEL"]},
)
