"""Which job may touch what: instances, networks and the cluster are locked in the order of job ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def claims_of(parameters: Mapping[str, Any]) -> dict[str, bool]:
    """Return what an opcode locks: resource → whether exclusively."""
    opcode = str(parameters["OP_ID"])
    claims: dict[str, bool] = {}
    if opcode.startswith("OP_INSTANCE_"):
        claims[f"instance/{parameters['instance_name']}"] = True
        if opcode == "OP_INSTANCE_RENAME":
            claims[f"instance/{parameters['new_name']}"] = True
        for network in _networks(parameters.get("nics") or []):
            claims[f"network/{network}"] = False
    elif opcode.startswith("OP_NETWORK_"):
        claims[f"network/{parameters['network_name']}"] = True
    elif opcode.startswith("OP_TAGS_"):
        claims[f"{parameters['kind']}/{parameters['name']}"] = True
    else:
        claims["cluster/None"] = True
    return claims


def conflict(first: Mapping[str, bool], second: Mapping[str, bool]) -> bool:
    """Whether two jobs may not run at the same time."""
    return any(name in second and (exclusive or second[name]) for name, exclusive in first.items())


def _networks(nics: Iterable[Any]) -> Iterable[str]:
    for nic in nics:
        values = nic[-1] if isinstance(nic, list) and nic else nic
        if isinstance(values, dict) and isinstance(values.get("network"), str):
            yield values["network"]
