"""Client of Ganeti's remote API, one method per call that Cyclades makes (ganeti-backend contract 1.6, 3).

Django-free. Methods are named as in Ganeti's own client. All mutating calls return the id of the job that
does the work, except `CancelJob`. Common keyword arguments:

- ``depends``: ``[[job id, [final states that allow this job to start]], …]``;
- ``reason``: text kept in the job's reason trail as ``["gnt:user", text, nanoseconds]``;
- ``dry_run``: the job checks its prerequisites and changes nothing.

Failures are `RapiRefused`, `RapiUnavailable` or `RapiUnknown`; see `cyclades.ganeti.rapi_errors`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from cyclades.ganeti.rapi_errors import GanetiApiError, RapiRefused, RapiUnavailable, RapiUnknown
from cyclades.ganeti.rapi_pool import RapiPool
from cyclades.ganeti.rapi_transport import JsonObject, RapiTransport

__all__ = [
    "ANY_FINAL_STATUS",
    "FINAL_STATUSES",
    "GanetiApiError",
    "RapiClient",
    "RapiPool",
    "RapiRefused",
    "RapiUnavailable",
    "RapiUnknown",
]

#: Job states that never change again.
FINAL_STATUSES = frozenset({"canceled", "error", "success"})
#: For ``depends``: start once the other job has ended, however it ended.
ANY_FINAL_STATUS = sorted(FINAL_STATUSES)

#: Ganeti holds a wait call for up to 10 s.
JOB_WAIT_READ_TIMEOUT = 30.0

Depends = Sequence[Sequence[Any]]


class RapiClient(RapiTransport):
    """The remote API of one cluster; see `RapiTransport` for the arguments."""

    # -- cluster -----------------------------------------------------------------------------------------

    def GetVersion(self) -> int:
        """Return the version of the remote API itself."""
        return int(self._get("/version"))

    def GetFeatures(self) -> list[str]:
        """Return the optional features of this RAPI, such as ``instance-create-reqv1``."""
        return self._get_list("/2/features")

    def GetInfo(self) -> JsonObject:
        """Return what the cluster is: name, versions, enabled hypervisors and templates, policy."""
        return self._get_object("/2/info")

    def GetOperatingSystems(self) -> list[str]:
        """Return the installed operating system definitions, with variants."""
        return self._get_list("/2/os")

    def ModifyCluster(self, *, reason: str | None = None, **parameters: Any) -> int:
        """Change cluster parameters; without any this still proves write access."""
        return self._job("PUT", "/2/modify", parameters, reason=reason)

    def GetClusterTags(self) -> list[str]:
        """Return the tags of the cluster."""
        return self._get_list("/2/tags")

    def AddClusterTags(
        self,
        tags: Iterable[str],
        *,
        dry_run: bool = False,
        reason: str | None = None,
        read_timeout: float | None = None,
    ) -> int:
        """Add tags to the cluster; with ``dry_run`` it is the health probe (contract 9.6).

        ``read_timeout``: seconds that this call waits for its answer, instead of the client's.
        """
        return self._job(
            *("PUT", "/2/tags"),
            query=_tag_query(tags),
            dry_run=dry_run,
            reason=reason,
            read_timeout=read_timeout,
        )

    def DeleteClusterTags(
        self, tags: Iterable[str], *, dry_run: bool = False, reason: str | None = None
    ) -> int:
        """Remove tags from the cluster."""
        return self._job("DELETE", "/2/tags", query=_tag_query(tags), dry_run=dry_run, reason=reason)

    def GetNodes(self, bulk: bool = False) -> list[JsonObject]:
        """Return all nodes: their names, or with ``bulk`` everything about them."""
        return self._get_list("/2/nodes", _bulk(bulk))

    def GetNode(self, node: str) -> JsonObject:
        """Return one node."""
        return self._get_object(f"/2/nodes/{_segment(node)}")

    def GetGroups(self, bulk: bool = False) -> list[JsonObject]:
        """Return the node groups: their names, or with ``bulk`` everything about them."""
        return self._get_list("/2/groups", _bulk(bulk))

    def GetGroup(self, group: str) -> JsonObject:
        """Return one node group."""
        return self._get_object(f"/2/groups/{_segment(group)}")

    # -- instances ---------------------------------------------------------------------------------------

    def GetInstances(self, bulk: bool = False) -> list[JsonObject]:
        """Return all instances: their names, or with ``bulk`` everything about them."""
        return self._get_list("/2/instances", _bulk(bulk))

    def GetInstance(self, instance: str) -> JsonObject:
        """Return one instance; RapiRefused 404 when there is none."""
        return self._get_object(f"/2/instances/{_segment(instance)}")

    def CreateInstance(
        self, body: Mapping[str, Any], *, dry_run: bool = False, reason: str | None = None
    ) -> int:
        """Create an instance from a complete request body (contract 3.1), which may hold ``depends``."""
        return self._job("POST", "/2/instances", dict(body), dry_run=dry_run, reason=reason)

    def DeleteInstance(
        self,
        instance: str,
        *,
        shutdown_timeout: int | None = None,
        depends: Depends | None = None,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> int:
        """Destroy an instance and its disks; ``shutdown_timeout`` in seconds."""
        body = _given(shutdown_timeout=shutdown_timeout, depends=depends)
        return self._job("DELETE", _instance(instance), body or None, dry_run=dry_run, reason=reason)

    def StartupInstance(
        self,
        instance: str,
        *,
        depends: Depends | None = None,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> int:
        """Start an instance."""
        body = _given(depends=depends) or None
        return self._job("PUT", _instance(instance, "startup"), body, dry_run=dry_run, reason=reason)

    def ShutdownInstance(
        self,
        instance: str,
        *,
        timeout: int | None = None,
        depends: Depends | None = None,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> int:
        """Stop an instance; after ``timeout`` seconds by force."""
        body = _given(timeout=timeout, depends=depends) or None
        return self._job("PUT", _instance(instance, "shutdown"), body, dry_run=dry_run, reason=reason)

    def RebootInstance(
        self,
        instance: str,
        reboot_type: str = "hard",
        *,
        shutdown_timeout: int | None = None,
        depends: Depends | None = None,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> int:
        """Restart an instance, ``soft`` (in place), ``hard`` or ``full`` (stop and start)."""
        body = _given(shutdown_timeout=shutdown_timeout, depends=depends) or None
        path = _instance(instance, "reboot")
        query = [("type", reboot_type)]
        return self._job("POST", path, body, query=query, dry_run=dry_run, reason=reason)

    def ModifyInstance(
        self, instance: str, body: Mapping[str, Any], *, dry_run: bool = False, reason: str | None = None
    ) -> int:
        """Change NICs, disks or parameters of an instance (contract 3), body as in Ganeti."""
        changes = {**body, "dry_run": True} if dry_run else dict(body)
        return self._job("PUT", _instance(instance, "modify"), changes, reason=reason)

    def GrowInstanceDisk(
        self,
        instance: str,
        disk: int,
        amount: int,
        *,
        absolute: bool | None = None,
        wait_for_sync: bool = True,
        depends: Depends | None = None,
        reason: str | None = None,
    ) -> int:
        """Make disk number ``disk`` bigger by ``amount`` MiB, or with ``absolute`` that big."""
        body = _given(amount=amount, absolute=absolute, wait_for_sync=wait_for_sync, depends=depends)
        return self._job("POST", _instance(instance, f"disk/{disk:d}/grow"), body, reason=reason)

    def ActivateInstanceDisks(self, instance: str, *, reason: str | None = None) -> int:
        """Make an instance's disks usable on its primary node; the job's result lists their paths."""
        return self._job("PUT", _instance(instance, "activate-disks"), None, reason=reason)

    def RenameInstance(
        self,
        instance: str,
        new_name: str,
        *,
        ip_check: bool = False,
        name_check: bool = False,
        depends: Depends | None = None,
        reason: str | None = None,
    ) -> int:
        """Give a stopped instance another name."""
        body = _given(new_name=new_name, ip_check=ip_check, name_check=name_check, depends=depends)
        return self._job("PUT", _instance(instance, "rename"), body, reason=reason)

    def GetInstanceTags(self, instance: str) -> list[str]:
        """Return the tags of an instance, in Ganeti's encoding."""
        return self._get_list(_instance(instance, "tags"))

    def AddInstanceTags(
        self, instance: str, tags: Iterable[str], *, dry_run: bool = False, reason: str | None = None
    ) -> int:
        """Add tags, already in Ganeti's encoding (contract 2.2)."""
        path = _instance(instance, "tags")
        return self._job("PUT", path, query=_tag_query(tags), dry_run=dry_run, reason=reason)

    def DeleteInstanceTags(
        self, instance: str, tags: Iterable[str], *, dry_run: bool = False, reason: str | None = None
    ) -> int:
        """Remove tags; the job fails when one of them is not there."""
        path = _instance(instance, "tags")
        return self._job("DELETE", path, query=_tag_query(tags), dry_run=dry_run, reason=reason)

    # -- networks ----------------------------------------------------------------------------------------

    def GetNetworks(self, bulk: bool = False) -> list[JsonObject]:
        """Return all networks: their names, or with ``bulk`` everything about them."""
        return self._get_list("/2/networks", _bulk(bulk))

    def GetNetwork(self, network: str) -> JsonObject:
        """Return one network; RapiRefused 404 when there is none."""
        return self._get_object(f"/2/networks/{_segment(network)}")

    def CreateNetwork(
        self,
        network_name: str,
        network: str,
        *,
        conflicts_check: bool,
        gateway: str | None = None,
        network6: str | None = None,
        gateway6: str | None = None,
        mac_prefix: str | None = None,
        add_reserved_ips: Sequence[str] | None = None,
        tags: Sequence[str] = (),
        depends: Depends | None = None,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> int:
        """Create a network; ``network`` and ``network6`` in CIDR form, ``mac_prefix`` three octets.

        ``conflicts_check`` has no default here because Ganeti's (true) is wrong for private networks.
        """
        body: JsonObject = {
            "network_name": network_name,
            "network": network,
            "gateway": gateway,
            "network6": network6,
            "gateway6": gateway6,
            "mac_prefix": mac_prefix,
            "add_reserved_ips": None if add_reserved_ips is None else list(add_reserved_ips),
            "conflicts_check": conflicts_check,
            "tags": list(tags),
            **_given(depends=depends),
        }
        return self._job("POST", "/2/networks", body, dry_run=dry_run, reason=reason)

    def ConnectNetwork(
        self,
        network: str,
        group_name: str,
        mode: str,
        link: str,
        *,
        conflicts_check: bool,
        vlan: str | None = None,
        depends: Depends | None = None,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> int:
        """Make a network usable in a node group through ``mode`` (bridged, routed) and ``link``."""
        body = _given(
            group_name=group_name,
            network_mode=mode,
            network_link=link,
            network_vlan=vlan,
            conflicts_check=conflicts_check,
            depends=depends,
        )
        return self._job("PUT", _network(network, "connect"), body, dry_run=dry_run, reason=reason)

    def DisconnectNetwork(
        self,
        network: str,
        group_name: str,
        *,
        depends: Depends | None = None,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> int:
        """Take a network away from a node group."""
        body = _given(group_name=group_name, depends=depends)
        return self._job("PUT", _network(network, "disconnect"), body, dry_run=dry_run, reason=reason)

    def DeleteNetwork(
        self,
        network: str,
        *,
        depends: Depends | None = None,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> int:
        """Delete a network that no node group is connected to."""
        body = _given(depends=depends) or None
        return self._job("DELETE", _network(network), body, dry_run=dry_run, reason=reason)

    def GetNetworkTags(self, network: str) -> list[str]:
        """Return the tags of a network."""
        return self._get_list(_network(network, "tags"))

    # -- jobs --------------------------------------------------------------------------------------------

    def GetJobs(self, bulk: bool = False) -> list[JsonObject]:
        """Return all jobs that are not archived: their ids, or with ``bulk`` everything but their logs."""
        return self._get_list("/2/jobs", _bulk(bulk))

    def GetJobStatus(self, job_id: int) -> JsonObject:
        """Return one job; RapiRefused 404 when Ganeti no longer (or never) knew it.

        Ganeti answers 200 with nulls for a job that does not exist.
        """
        job = self._get_object(f"/2/jobs/{job_id:d}")
        if job.get("status") is None:
            raise RapiRefused(404, f"there is no job {job_id}")
        return job

    def WaitForJobChange(
        self,
        job_id: int,
        fields: Sequence[str] = ("status", "opresult"),
        previous_job_info: Sequence[Any] | None = None,
        previous_log_serial: int | None = None,
    ) -> JsonObject | None:
        """Wait until ``fields`` of a job differ from ``previous_job_info`` or it logs something.

        Returns ``{"job_info": […], "log_entries": […]}``; after ten seconds without change what is known
        already, or None from a Ganeti before 3.0.
        """
        body = {
            "fields": list(fields),
            "previous_job_info": None if previous_job_info is None else list(previous_job_info),
            "previous_log_serial": previous_log_serial,
        }
        timeout = max(self.read_timeout, JOB_WAIT_READ_TIMEOUT)
        answer = self._request("GET", f"/2/jobs/{job_id:d}/wait", body, read_timeout=timeout)
        return None if answer is None else dict(answer)

    def WaitForJobCompletion(self, job_id: int, *, timeout: float = 600.0) -> JsonObject:
        """Wait until a job is final and return it; RapiUnavailable after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        info: Sequence[Any] | None = None
        serial: int | None = None
        while time.monotonic() < deadline:
            change = self.WaitForJobChange(job_id, ("status",), info, serial)
            if change is None:
                continue
            info = change["job_info"]
            if info and info[0] in FINAL_STATUSES:
                return self.GetJobStatus(job_id)
            serial = max((entry[0] for entry in change["log_entries"]), default=serial)
        raise RapiUnavailable(f"job {job_id} has not ended within {timeout:g} s")

    def CancelJob(self, job_id: int) -> tuple[bool, str]:
        """Try to cancel a job; return whether that worked and Ganeti's explanation."""
        answer = self._request("DELETE", f"/2/jobs/{job_id:d}")
        if not isinstance(answer, list) or len(answer) != 2:
            raise RapiUnknown("unexpected answer to a cancellation")
        return bool(answer[0]), str(answer[1])


def _segment(name: str) -> str:
    return quote(name, safe="")


def _instance(name: str, rest: str = "") -> str:
    return f"/2/instances/{_segment(name)}" + (f"/{rest}" if rest else "")


def _network(name: str, rest: str = "") -> str:
    return f"/2/networks/{_segment(name)}" + (f"/{rest}" if rest else "")


def _bulk(bulk: bool) -> list[tuple[str, str]]:
    return [("bulk", "1")] if bulk else []


def _tag_query(tags: Iterable[str]) -> list[tuple[str, str]]:
    return [("tag", tag) for tag in tags]


def _given(**values: Any) -> JsonObject:
    """Return the arguments that were given: Ganeti tells a null from an absent key."""
    return {key: value for key, value in values.items() if value is not None}
