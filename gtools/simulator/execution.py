"""Runs a job's opcode."""

from __future__ import annotations

from typing import Any

from gtools.simulator import instance_create, instance_modify, instance_state, networks, tags
from gtools.simulator.cluster import Cluster
from gtools.simulator.errors import OpError
from gtools.simulator.faults import FaultPlan
from gtools.simulator.image_provider import ImageProvider
from gtools.simulator.jobqueue import JobHandle
from gtools.simulator.operation import DryRun, Implementation, Operation

_MERGED = ("ipolicy", "hvparams", "beparams")


def set_cluster_params(op: Operation) -> None:
    """Change cluster parameters; without any nothing happens."""
    op.begin()
    templates = op["enabled_disk_templates"]
    if templates is not None and not templates:
        raise OpError("OpPrereqError", "At least one disk template must be enabled", "wrong_input")
    op.end_of_checks()
    with op.cluster.change():
        for name, value in op.parameters.items():
            if value in (None, {}) or name not in (*_MERGED, "enabled_disk_templates"):
                continue
            merged = {**op.cluster.parameters.get(name, {}), **value} if name in _MERGED else value
            op.cluster.parameters[name] = merged


_IMPLEMENTATIONS: dict[str, Implementation] = {
    "OP_INSTANCE_CREATE": instance_create.create,
    "OP_INSTANCE_REMOVE": instance_state.remove,
    "OP_INSTANCE_STARTUP": instance_state.startup,
    "OP_INSTANCE_ACTIVATE_DISKS": instance_state.activate_disks,
    "OP_INSTANCE_SHUTDOWN": instance_state.shutdown,
    "OP_INSTANCE_REBOOT": instance_state.reboot,
    "OP_INSTANCE_RENAME": instance_state.rename,
    "OP_INSTANCE_SET_PARAMS": instance_modify.set_params,
    "OP_INSTANCE_GROW_DISK": instance_modify.grow_disk,
    "OP_TAGS_SET": tags.set_tags,
    "OP_TAGS_DEL": tags.delete_tags,
    "OP_NETWORK_ADD": networks.add,
    "OP_NETWORK_REMOVE": networks.remove,
    "OP_NETWORK_CONNECT": networks.connect,
    "OP_NETWORK_DISCONNECT": networks.disconnect,
    "OP_NETWORK_SET_PARAMS": networks.set_params,
    "OP_CLUSTER_SET_PARAMS": set_cluster_params,
}


class Executor:
    """Executes jobs against a cluster; see `JobQueue`."""

    def __init__(self, cluster: Cluster, faults: FaultPlan) -> None:
        self._cluster = cluster
        self._faults = faults
        self._provider = ImageProvider(cluster.options.progress_command)

    def __call__(self, handle: JobHandle) -> Any:
        """Run one job and return its result; raises OpError."""
        operation = Operation(
            cluster=self._cluster, handle=handle, provider=self._provider, faults=self._faults
        )
        self._find_uuid(handle)
        # Short even at top speed: Ganeti starts a process per job, so its states can be observed.
        operation.work(0.2)
        try:
            return _IMPLEMENTATIONS[handle.job.opcode](operation)
        except DryRun as dry_run:
            return dry_run.result

    def _find_uuid(self, handle: JobHandle) -> None:
        """Store the uuid of the job's instance, as Ganeti does when it resolves the name."""
        if "instance_uuid" in handle.job.input:
            with self._cluster.lock:
                instance = self._cluster.instances.get(handle.job.input["instance_name"])
            if instance is not None:
                handle.fill(instance_uuid=instance.uuid)
