"""OP_TAGS_SET and OP_TAGS_DEL."""

from __future__ import annotations

from gtools.simulator.errors import prerequisite
from gtools.simulator.operation import Operation
from gtools.simulator.parameters import check_tags


def set_tags(op: Operation) -> None:
    """Add tags to the cluster, an instance or a network."""
    tags = _tags(op)
    op.begin()
    check_tags(op["tags"])
    op.end_of_checks()
    with op.cluster.change():
        tags[:] = sorted({*tags, *op["tags"]})
        _touch(op)


def delete_tags(op: Operation) -> None:
    """Remove tags; all of them must be there."""
    tags = _tags(op)
    op.begin()
    check_tags(op["tags"])
    missing = sorted(set(op["tags"]) - set(tags))
    if missing:
        names = ", ".join(f"'{tag}'" for tag in missing)
        raise prerequisite(f"Tag(s) {names} not found", "unknown_entity")
    op.end_of_checks()
    with op.cluster.change():
        tags[:] = [tag for tag in tags if tag not in op["tags"]]
        _touch(op)


def _tags(op: Operation) -> list[str]:
    if op["kind"] == "cluster":
        return op.cluster.tags
    if op["kind"] == "instance":
        return op.cluster.instance(str(op["name"])).tags
    if op["kind"] == "network":
        return op.cluster.network(str(op["name"])).tags
    raise prerequisite(f"the simulator keeps no tags of a {op['kind']}", "wrong_input")


def _touch(op: Operation) -> None:
    if op["kind"] == "instance":
        op.cluster.instance(op["name"]).touch()
    elif op["kind"] == "network":
        op.cluster.network(op["name"]).touch()
