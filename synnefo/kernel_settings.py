"""Settings of the project and the shared kernel."""

from __future__ import annotations

from synnefo.settings_registry import declare

_ADMINS = "00-snf-common-admins"
_DEPLOY = "10-snf-webproject-deploy"
_DATABASE = "10-snf-webproject-database"
_LOGGING = "10-snf-webproject-logging"
_SITE = "10-snf-webproject-site"
_QUEUES = "20-snf-cyclades-gtools-backend"
NoneType = type(None)

declare(
    "SYNNEFO_SERVICES",
    ["astakos", "pithos", "cyclades", "stats"],
    type=(list, tuple),
    conf=_DEPLOY,
    help="Services this host runs; the others contribute no URLs and no commands.",
)
declare("DEBUG", False, type=bool, conf=_DEPLOY, help="Developer mode; never on a public host.")
declare(
    "SECRET_KEY",
    "change-me-this-is-the-sample-key-of-a-fresh-installation",
    type=str,
    secret=True,
    conf=_SITE,
    help="Signs sessions, keys token digests; the same on all hosts; changing it ends every token.",
)
declare(
    "SECRET_ENCRYPTION_KEY",
    "Password Encryption Key",
    type=str,
    secret=True,
    conf=_SITE,
    help="Encrypts stored secrets (Ganeti passwords, tokens). Changing it makes them unreadable.",
)
declare(
    "TEMPLATE_DIRS",
    [],
    type=(list, tuple),
    conf=_SITE,
    help="Directories whose templates replace ours, looked up before the settings directory's templates/.",
)
declare("ALLOWED_HOSTS", ["*"], type=(list, tuple), conf=_SITE, help="Host names this site answers to.")
declare(
    "TRUSTED_PROXIES",
    [],
    type=(list, tuple),
    conf=_DEPLOY,
    help="Addresses of front servers whose X-Forwarded-For, X-Forwarded-Proto, Remote-User, Eppn and Shib-* "
    "headers are believed; they must not pass on what clients send under these names.",
)
declare("ADMINS", (), type=(list, tuple), conf=_ADMINS, help="(name, mail) pairs that receive error reports.")
declare(
    "CONTACT_EMAIL",
    "support@synnefo.org",
    type=str,
    conf=_ADMINS,
    help="Support address that users are shown.",
)
declare("TIME_ZONE", "UTC", type=str, conf=_SITE, help="Time zone of pages; API dates are always UTC.")
declare(
    "LANGUAGE_CODE", "en-us", type=str, conf=_SITE, help="Language of pages without a choice by the user."
)
declare(
    "DATABASES",
    {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/var/lib/synnefo/synnefo.sqlite3"}},
    type=dict,
    secret=True,
    conf=_DATABASE,
    help="Django's DATABASES; production uses django.db.backends.postgresql with a database of C collation.",
)
declare(
    "DATABASE_LOCK_TIMEOUT",
    5000,
    type=int,
    conf=_DATABASE,
    help="Milliseconds a request waits for a row lock before it answers 503.",
)
declare(
    "DATABASE_PREPARED_STATEMENTS",
    True,
    type=bool,
    conf=_DATABASE,
    help="Whether PostgreSQL plans the statements of every request once for each connection. Turn it off "
    "behind a pooler that hands a connection to another client after each transaction.",
)
declare(
    "DATABASE_LOCK_RETRIES",
    4,
    type=int,
    conf=_DATABASE,
    help="Times a use case is repeated after a deadlock or a lock time-out.",
)
declare(
    "CACHES",
    {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    type=dict,
    conf=_DEPLOY,
    help="Django's CACHES; production uses synnefo.cache.memcached.MemcachedCache.",
)
declare(
    "LOG_FORMAT",
    "verbose",
    type=str,
    choices=("verbose", "json"),
    conf=_LOGGING,
    help="Log lines for people or one JSON object a line for collectors.",
)
declare(
    "LOG_LEVEL",
    "INFO",
    type=str,
    choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    conf=_LOGGING,
    help="Least severe level that is written.",
)
declare(
    "LOG_FILE",
    "",
    type=str,
    conf=_LOGGING,
    help="Log file of web servers and daemons; empty: standard error.",
)
declare(
    "LOG_DIR",
    "/var/log/synnefo/",
    type=str,
    conf=_LOGGING,
    help="Directory whose sub-directory commands/ keeps one log per management command.",
)
declare(
    "LOGGER_EXCLUDE_COMMANDS",
    "-list$|-show$",
    type=str,
    conf=_LOGGING,
    help="Regular expression of management commands that leave no log; .* turns these logs off.",
)
declare(
    "AMQP_HOSTS",
    ["amqp://username:password@host:port"],
    type=(list, tuple),
    secret=True,
    conf=_QUEUES,
    help="Brokers, tried in random order; embedded:///path is the broker of a single-host installation.",
)
declare("EXCHANGE_GANETI", "ganeti", type=str, conf=_QUEUES, help="Topic exchange of Ganeti events.")
declare(
    "AMQP_QUORUM_QUEUES",
    False,
    type=bool,
    conf=_QUEUES,
    help="Keep the dispatchers' queues on several nodes of a RabbitMQ cluster, under names that end in -q.",
)
declare(
    "BACKEND_PREFIX_ID",
    "snf-",
    type=str,
    conf=_QUEUES,
    help="Prefix of everything Synnefo names in Ganeti, with its dash; never change it with servers present.",
)
declare(
    "WEBPROJECT_ROOT_REDIRECT",
    None,
    type=(str, NoneType),
    conf=_SITE,
    help="Where / leads; None leads to the dashboard, or to a list of services where there is none.",
)
declare(
    "METRICS_ALLOWED_HOSTS",
    ["127.0.0.1", "::1"],
    type=(list, tuple),
    conf=_DEPLOY,
    help="Client addresses that may read /metrics.",
)
