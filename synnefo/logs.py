"""Log lines: human or JSON, each with the request id; secrets never reach them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from synnefo import clock, request_id

#: What must not be written even when a caller logs it by mistake.
_SECRETS = re.compile(
    r"(?i)(x-auth-token|token|password|passwd|secret|authorization)(['\"]?\s*[=:]\s*['\"]?)([^\s'\",&;]{6,})"
)


#: Addresses whose last part is the secret: access tokens, one-time configurations, published files, graphs.
_SECRET_PATHS = re.compile(
    r"(/tokens/|/server-params/|/public/|/activate/|/confirm/|/v1\.0/(?:cpu|net)-(?:bar|ts|ts-w)/)[^ ]+"
)


def mask_path(path: str) -> str:
    """Return a request's path without the secrets that some addresses are made of."""
    return _SECRET_PATHS.sub(r"\1***", path)


def mask(text: str) -> str:
    """Return *text* with the values of secret-looking fields replaced."""
    return _SECRETS.sub(r"\1\2***", text)


class RequestIdFilter(logging.Filter):
    """Put the current request id on every record and mask secrets in its text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Complete *record*; nothing is dropped."""
        record.request_id = request_id.current() or "-"
        message = record.getMessage()
        masked = mask(message)
        if record.name == "django.request":
            # Django itself tells the path of what was refused.
            masked = mask_path(masked)
        if masked != message:
            record.msg, record.args = masked, ()
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for log collectors."""

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as one line of JSON."""
        fields: dict[str, Any] = {
            "time": clock.isoformat(clock.now()),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", "-"),
            "pid": record.process,
        }
        if record.exc_info:
            fields["exception"] = mask(self.formatException(record.exc_info))
        return json.dumps(fields, ensure_ascii=False)


def setup(
    *, json_lines: bool, level: str, log_file: str, levels: Mapping[str, str | None] | None = None
) -> dict[str, Any]:
    """Return the ``dictConfig`` of web servers, daemons and commands.

    *log_file* empty means standard error; files reopen after rotation. *levels* has the severities of
    loggers that differ from *level*; ``None`` does not.
    """
    if log_file:
        handler: dict[str, Any] = {
            "class": "logging.handlers.WatchedFileHandler",
            "filename": log_file,
            "delay": True,
        }
    else:
        handler = {"class": "logging.StreamHandler"}
    handler |= {"formatter": "json" if json_lines else "verbose", "filters": ["request_id"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "synnefo.logs.RequestIdFilter"}},
        "formatters": {
            "verbose": {
                "format": "%(asctime)s [%(process)d] %(name)s %(levelname)s [%(request_id)s] %(message)s"
            },
            "json": {"()": "synnefo.logs.JsonFormatter"},
        },
        "handlers": {"main": handler},
        "root": {"handlers": ["main"], "level": level},
        "loggers": {
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "django.server": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            **{name: {"level": own} for name, own in (levels or {}).items() if own},
        },
    }
