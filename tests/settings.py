"""Django settings of the test suite."""

from __future__ import annotations

import os
import tempfile
from urllib.parse import urlsplit

from tests import environment, scratch

scratch.use_memory()
os.environ.setdefault("SYNNEFO_SETTINGS_DIR", tempfile.mkdtemp(prefix="synnefo-test-settings-"))

from synnefo.settings import *  # noqa: E402, F403

_url = environment.database_url()
if _url:
    _parts = urlsplit(_url)
    DATABASES = {
        "default": {
            "ENGINE": "synnefo.db.postgresql",
            "NAME": _parts.path.lstrip("/") or "synnefo",
            "USER": _parts.username or "",
            "PASSWORD": _parts.password or "",
            "HOST": _parts.hostname or "",
            "PORT": str(_parts.port or ""),
            "TEST": {"TEMPLATE": "template0"},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("SYNNEFO_TEST_SQLITE")
            or os.path.join(tempfile.gettempdir(), f"synnefo-test-{os.getpid()}.sqlite3"),
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
        }
    }
SECRET_KEY = "key-of-the-test-suite"
SECRET_ENCRYPTION_KEY = "encryption-key-of-the-tests"
CYCLADES_VNCAUTHPROXY_OPTS = [{"auth_password": "secret_password_of_the_tests"}]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOG_DIR = tempfile.mkdtemp(prefix="synnefo-test-logs-")
PITHOS_BACKEND_BLOCK_PATH = tempfile.mkdtemp(prefix="synnefo-test-blocks-")
ASTAKOS_BASE_URL = "http://testserver/astakos"
PITHOS_BASE_URL = "http://testserver/pithos"
CYCLADES_BASE_URL = "http://testserver/cyclades"
STATS_BASE_URL = "http://testserver/stats"
RRD_PREFIX = tempfile.mkdtemp(prefix="synnefo-test-rrd-")
GANETI_SUBMIT_IN_BACKGROUND = False
# Whoever waits for a row gets it, however slow the machine; tests of longer waits set bounds of their own.
DATABASE_LOCK_TIMEOUT = 60_000
ASTAKOS_MAILS_IN_BACKGROUND = False
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# Tests register services and look at once.
ASTAKOS_ENDPOINT_LOCAL_CACHE_TIMEOUT = 0
