"""All that a request to read an object needs to know of it, in one statement (object-storage contract 7)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from django.db import connection

from pithos.logic.metadata import USER_DOMAIN
from pithos.logic.nodes import CURRENT, Address, current_of
from pithos.logic.permissions import Effective, deciding, effective_of
from pithos.models import Cluster, Version
from synnefo.db import prepared

#: The user's metadata, and the grants of the object and of what can be a directory above it.
_MORE = f""",
       (SELECT {{pairs}}(t.key, t.value) FROM pithos_attribute t
         WHERE t.version_id = v.id AND t.domain = '{USER_DOMAIN}'){{text}},
       (SELECT {{rows}}({{row}}(d.name, g.access, g.holder, w.type))
          FROM pithos_node d JOIN pithos_grant g ON g.node_id = d.id
          JOIN pithos_version w ON w.node_id = d.id AND w.cluster = {Cluster.CURRENT:d}
         WHERE d.parent_id = c.id AND d.name {{among}}){{text}}"""  # noqa: S608  (only constants)


@dataclass(frozen=True)
class Shown:
    """An object's current version, the user's metadata of it, and the grants that apply."""

    version: Version
    metadata: dict[str, str]
    effective: Effective


@lru_cache(maxsize=2)
def _statement(vendor: str) -> str:
    if vendor == "postgresql":
        parts = {
            "pairs": "json_object_agg", "rows": "json_agg", "row": "json_build_array", "text": "::text",
            "among": "= ANY (%s::text[])",
        }  # fmt: skip
    else:
        parts = {
            "pairs": "json_group_object", "rows": "json_group_array", "row": "json_array", "text": "",
            "among": "IN (SELECT value FROM json_each(%s))",
        }  # fmt: skip
    return CURRENT.format(more=_MORE.format(**parts))


def find(address: Address) -> Shown | None:
    """Return the object, None if there is none; whether the caller may know that is not asked. One query."""
    names: object = deciding(address.name)
    if connection.vendor != "postgresql":
        names = json.dumps(names)
    row = prepared.fetch_one(
        _statement(connection.vendor), [names, address.account, address.container, address.name]
    )
    if row is None:
        return None
    version, (pairs, grants) = current_of(row)
    if version is None:
        return None
    return Shown(
        version,
        json.loads(pairs) if pairs else {},
        effective_of(address.name, json.loads(grants) if grants else ()),
    )
