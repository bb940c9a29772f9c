"""Opcodes that start, stop, restart, rename and remove instances."""

from __future__ import annotations

from gtools.simulator.errors import prerequisite
from gtools.simulator.operation import Operation
from gtools.simulator.volume_store import StoreChange


def startup(op: Operation) -> None:
    """Start an instance; nothing happens when it runs already."""
    instance = op.cluster.instance(op["instance_name"])
    op.begin()
    op.end_of_checks()
    op.work(1.5)
    with op.cluster.change():
        if instance.running is None:
            instance.start()
            instance.touch()


def shutdown(op: Operation) -> None:
    """Stop an instance; nothing happens when it is down already."""
    instance = op.cluster.instance(op["instance_name"])
    op.begin()
    op.end_of_checks()
    op.work(1.5)
    with op.cluster.change():
        instance.stop()
        instance.touch()


def activate_disks(op: Operation) -> list[list[str]]:
    """Return node, number and path of each disk; nothing has to be done for it here."""
    instance = op.cluster.instance(op["instance_name"])
    op.begin()
    op.end_of_checks()
    op.work(0.2)
    return [
        [instance.node, f"disk/{number}", f"/simulated/{disk.uuid}"]
        for number, disk in enumerate(instance.disks)
    ]


def reboot(op: Operation) -> None:
    """Restart an instance, or start it when it is down."""
    instance = op.cluster.instance(op["instance_name"])
    op.begin()
    op.end_of_checks()
    if instance.running is None:
        op.info(f"Instance {instance.name} was already stopped, starting now")
    op.work(2.0)
    with op.cluster.change():
        instance.start()
        instance.touch()


def rename(op: Operation) -> str:
    """Give a stopped instance another name, which is returned."""
    instance = op.cluster.instance(op["instance_name"])
    new_name = op["new_name"]
    op.begin()
    if instance.admin_state != "down":
        raise prerequisite(f"Instance '{instance.name}' is marked to be up, cannot rename", "wrong_state")
    if new_name in op.cluster.instances:
        raise prerequisite(f"Instance '{new_name}' is already in the cluster", "already_exists")
    op.end_of_checks()
    op.work(0.5)
    with op.cluster.change():
        del op.cluster.instances[instance.name]
        instance.name = new_name
        instance.touch()
        op.cluster.instances[new_name] = instance
    return str(new_name)


def remove(op: Operation) -> None:
    """Stop and remove an instance with its disks."""
    instance = op.cluster.instance(op["instance_name"])
    op.begin()
    op.end_of_checks()
    op.work(1.5)
    store = StoreChange(op.cluster)
    with op.cluster.change():
        for disk in instance.disks:
            store.remove(disk)
        store.commit()
        del op.cluster.instances[instance.name]
