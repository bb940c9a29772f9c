"""The XML form of token answers (identity contract 1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

from synnefo.api.responses import IDENTITY_NAMESPACE

_SNF_NAMESPACE = "http://www.synnefo.org/identity/api/v2.0"


def render(access: Mapping[str, Any]) -> str:
    """Return *access*, the JSON answer's inner object, as an XML document."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    parts.append(f'<access xmlns="{IDENTITY_NAMESPACE}" xmlns:SNF="{_SNF_NAMESPACE}">')
    token, user = access.get("token"), access.get("user")
    if token is not None:
        tenant = _element("tenant", token["tenant"])
        parts.append(_element("token", {"id": token["id"], "expires": token["expires"]}, tenant))
    if user is not None:
        roles = "".join(_element("role", role) for role in user["roles"])
        parts.append(_element("user", {"id": user["id"], "name": user["name"]}, f"<roles>{roles}</roles>"))
    if "serviceCatalog" not in access:
        return "".join([*parts, "</access>"])
    services = "".join(
        _element(
            "service",
            {"type": service["type"], "name": service["name"]},
            "".join(_element("endpoint", endpoint) for endpoint in service["endpoints"]),
        )
        for service in access["serviceCatalog"]
    )
    parts.append(f"<serviceCatalog>{services}</serviceCatalog></access>")
    return "".join(parts)


def _element(name: str, attributes: Mapping[str, Any], content: str = "") -> str:
    listed = "".join(
        f" {key}={quoteattr(_printable(str(value)))}"
        for key, value in attributes.items()
        if value is not None and _is_name(key)
    )
    return f"<{name}{listed}>{content}</{name}>" if content else f"<{name}{listed}/>"


def _is_name(key: str) -> bool:
    """Tell whether *key*, chosen by whoever registered the endpoint, may be an attribute's name."""
    prefix, _, local = key.rpartition(":")
    return prefix in ("", "SNF") and local.isascii() and local.replace("_", "a").replace("-", "a").isalnum()


def _printable(text: str) -> str:
    return "".join(c for c in text if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
