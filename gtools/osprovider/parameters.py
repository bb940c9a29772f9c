"""What is to be deployed: OS parameters and the one-time parameters behind config_url.

ganeti-backend contract 3.2. Everything here may be secret: neither values nor the URL are ever logged.
"""

from __future__ import annotations

import base64
import binascii
import functools
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gtools.osprovider.errors import DeployError

# Every parameter that Ganeti may pass on; parameters.list says the same.
NAMES = (
    "config_url",
    "img_id",
    "img_format",
    "img_passwd",
    "img_passwd_hash",
    "img_properties",
    "img_personality",
    "auth_keys",
    "cloud_userdata",
    "inst_properties",
    "os_product_key",
    "os_answer_file",
)
MAX_CONFIG_BYTES = 8 * 1024 * 1024
ATTEMPTS = 6
TIMEOUT_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 8.0
DEFAULT_FILE_MODE = 0o440
RAW_FORMATS = frozenset({"diskdump", "raw"})
FORMATS = RAW_FORMATS | {"qcow2"}


@dataclass(frozen=True)
class PersonalityFile:
    """A file that the user wants in the guest."""

    path: str
    contents: bytes = field(repr=False)
    owner: str = "root"
    group: str = "root"
    mode: int = DEFAULT_FILE_MODE


@dataclass(frozen=True)
class Parameters:
    """One deployment; ``properties`` have upper-case keys."""

    image_id: str
    image_format: str = "diskdump"
    password: str = field(default="", repr=False)
    password_hash: str = field(default="", repr=False)
    properties: Mapping[str, str] = field(default_factory=dict)
    personality: tuple[PersonalityFile, ...] = ()
    auth_keys: tuple[str, ...] = ()
    userdata: bytes = field(default=b"", repr=False)

    def excludes(self, task: str) -> bool:
        """Return whether the image forbids a task (image contract 7)."""
        return _is_yes(self.properties.get("EXCLUDE_ALL_TASKS")) or _is_yes(
            self.properties.get(f"EXCLUDE_TASK_{task.upper()}")
        )

    @property
    def users(self) -> tuple[str, ...]:
        """The logins whose password and keys are set."""
        return tuple(self.properties.get("USERS", "").split()) or ("root",)


def from_environment(
    environment: Mapping[str, str], fetch: Callable[[str], Mapping[str, Any]] | None = None
) -> Parameters:
    """Return the parameters of an OS script's environment; values behind config_url win.

    fetch: gets the one-time parameters of a URL. Raises `DeployError` naming what is wrong.
    """
    values: dict[str, Any] = {
        name: environment[f"OSP_{name.upper()}"] for name in NAMES if environment.get(f"OSP_{name.upper()}")
    }
    url = values.pop("config_url", "")
    if url and fetch is not None:
        values.update({name: value for name, value in fetch(url).items() if value not in (None, "")})
    return parse(values)


def parse(values: Mapping[str, Any]) -> Parameters:
    """Return parameters from their texts; raise `DeployError` naming the one that is wrong."""
    image_id = _text(values, "img_id")
    if not image_id:
        raise DeployError("img_id is missing: there is nothing to deploy")
    image_format = _text(values, "img_format") or "diskdump"
    if image_format not in FORMATS:
        raise DeployError(
            f"img_format {image_format!r:.40} is not supported: use {', '.join(sorted(FORMATS))}"
        )
    properties = _json(values, "img_properties", dict, {})
    return Parameters(
        image_id=image_id,
        image_format=image_format,
        password=_text(values, "img_passwd"),
        password_hash=_text(values, "img_passwd_hash"),
        properties={str(key).upper(): str(value) for key, value in properties.items()},
        personality=tuple(_personality_file(item) for item in _json(values, "img_personality", list, [])),
        auth_keys=_auth_keys(_text(values, "auth_keys")),
        userdata=_base64(_text(values, "cloud_userdata"), "cloud_userdata"),
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise DeployError(f"{name} must be text")
    if "\0" in value:
        raise DeployError(f"{name} must not contain NUL")
    return value


def _json(values: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    text = _text(values, name)
    if not text:
        return default
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise DeployError(f"{name} is not JSON") from None
    if not isinstance(value, kind):
        raise DeployError(f"{name} must be a JSON {'object' if kind is dict else 'list'}")
    return value


def _personality_file(item: object) -> PersonalityFile:
    if not isinstance(item, dict) or not isinstance(item.get("path"), str) or "\0" in item["path"]:
        raise DeployError("img_personality must be a list of objects with a path")
    path, contents = item["path"], item.get("contents", "")
    if not isinstance(contents, str):
        raise DeployError("img_personality: contents must be base64 text")
    return PersonalityFile(
        path=path,
        contents=_base64(contents, "img_personality"),
        owner=str(item.get("owner") or "root"),
        group=str(item.get("group") or "root"),
        mode=_mode(item.get("mode")),
    )


def _mode(value: object) -> int:
    """Return permission bits: a number, or text in octal."""
    try:
        mode = DEFAULT_FILE_MODE if value is None else int(value, 8) if isinstance(value, str) else int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise DeployError("img_personality: mode must be a number") from None
    if not 0 <= mode <= 0o7777:
        raise DeployError("img_personality: mode must be between 0 and 07777")
    return int(mode)


def _auth_keys(text: str) -> tuple[str, ...]:
    keys = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not all(key.isprintable() for key in keys):
        raise DeployError("auth_keys: a key holds control characters")
    return keys


def _base64(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        raise DeployError(f"{name} is not base64") from None


def _is_yes(value: str | None) -> bool:
    return value is not None and value.strip().lower() not in ("", "no", "0", "false")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class ConfigClient:
    """Fetches one-time parameters; tries again while the service can't be reached."""

    def __init__(self, ca_file: str = "", sleep: Callable[[float], None] = time.sleep) -> None:
        self._ca_file = ca_file
        self._sleep = sleep

    @functools.cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        # Not made before it is needed: loading the trusted certificates takes long.
        try:
            context = ssl.create_default_context(cafile=self._ca_file or None)
        except OSError as error:
            raise DeployError(f"the certificates in {self._ca_file} can't be read: {error}") from None
        return urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
        )

    def fetch(self, url: str) -> Mapping[str, Any]:
        """Return the parameters; raise `DeployError`, which names only the host."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DeployError("config_url must be an http or https address")
        reason, opener = "", self._opener
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(min(LONGEST_PAUSE_SECONDS, 0.5 * 2**attempt))
            try:
                return _object(_read(opener, url))
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise DeployError(
                        f"{parts.hostname} no longer has this deployment's parameters (status {error.code}):"
                        " they can be read once and for a limited time"
                    ) from None
                reason = f"status {error.code}"
            except (OSError, ValueError, EOFError, http.client.HTTPException) as error:
                reason = type(getattr(error, "reason", error)).__name__
        raise DeployError(f"the parameters could not be read from {parts.hostname}: {reason}")


def _read(opener: urllib.request.OpenerDirector, url: str) -> bytes:
    with opener.open(url, timeout=TIMEOUT_SECONDS) as response:
        body: bytes = response.read(MAX_CONFIG_BYTES + 1)
        length = response.headers.get("Content-Length")
    if length is not None and length.isdigit() and int(length) != len(body):
        raise EOFError("the answer broke off")
    if len(body) > MAX_CONFIG_BYTES:
        raise DeployError("the one-time parameters are too large")
    return body


def _object(body: bytes) -> Mapping[str, Any]:
    value = json.loads(body)
    if not isinstance(value, dict):
        raise DeployError("the one-time parameters are not a JSON object")
    return value
