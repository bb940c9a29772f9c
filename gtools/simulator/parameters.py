"""Backend and hypervisor parameters and tags, checked and merged as Ganeti does."""

from __future__ import annotations

import re
from typing import Any

from gtools.simulator import defaults
from gtools.simulator.cluster import Cluster
from gtools.simulator.errors import OpError, prerequisite

_TAG = re.compile(r"^[\w.+*/:@-]+$", re.ASCII)
MAX_TAG_LENGTH = 128
MAX_TAGS = 4096
DEFAULT = "default"


def apply_beparams(present: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return backend parameters after changes; ``memory`` stands for both limits, ``default`` removes."""
    result = dict(present)
    converted = {key: value for key, value in changes.items() if key != "memory"}
    if "memory" in changes:
        converted |= {"maxmem": changes["memory"], "minmem": changes["memory"]}
    for name, value in converted.items():
        if name not in defaults.BEPARAMS:
            raise OpError("TypeEnforcementError", f"Unknown parameter '{name}'")
        if value == DEFAULT:
            result.pop(name, None)
            continue
        result[name] = _enforce(name, value, defaults.BEPARAMS[name])
    return result


def apply_hvparams(
    cluster: Cluster, hypervisor: str, present: dict[str, Any], changes: dict[str, Any]
) -> dict[str, Any]:
    """Return hypervisor parameters after changes, or fail for unknown and global ones."""
    known = cluster.hypervisor_defaults(hypervisor)
    fixed = [name for name in changes if name in defaults.GLOBAL_HVPARAMS]
    if fixed:
        raise prerequisite(
            "The following hypervisor parameters are global and cannot be customized at instance level,"
            f" please modify them at cluster level: {', '.join(fixed)}",
            "wrong_input",
        )
    result = dict(present)
    for name, value in changes.items():
        if name not in known:
            raise OpError("HypervisorError", f"Parameter '{name}' is not supported")
        if value == DEFAULT:
            result.pop(name, None)
        else:
            result[name] = _enforce(name, value, known[name])
    return result


def check_tags(tags: list[str]) -> None:
    """Fail for tags that Ganeti cannot keep."""
    for tag in tags:
        if not tag:
            raise OpError("TagError", "Tags cannot be empty")
        if len(tag) > MAX_TAG_LENGTH:
            raise OpError("TagError", f"Tag too long (>{MAX_TAG_LENGTH} characters)")
        if not _TAG.match(tag):
            raise OpError("TagError", "Tag contains invalid characters")


def _enforce(name: str, value: Any, example: Any) -> Any:
    """Return a value as the type its default has."""
    if isinstance(example, bool):
        if isinstance(value, str) and value.lower() in ("true", "yes", "false", "no"):
            return value.lower() in ("true", "yes")
        if not isinstance(value, bool):
            raise OpError("TypeEnforcementError", f"'{name}' (value {value}) is not a valid boolean")
        return value
    if isinstance(example, int):
        try:
            return int(value)
        except (TypeError, ValueError):
            problem = f"'{name}' (value {value}) is not a valid integer"
            raise OpError("TypeEnforcementError", problem) from None
    if not isinstance(value, str):
        raise OpError("TypeEnforcementError", f"'{name}' (value {value}) is not a valid string")
    return value
