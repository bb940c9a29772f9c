"""RAPI's resources: which path and method reads what or submits which opcode."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from gtools.simulator import views
from gtools.simulator.cluster import Cluster
from gtools.simulator.errors import HttpError
from gtools.simulator.jobqueue import JobQueue
from gtools.simulator.opcodes import complete, mapping

JOB_WAIT_SECONDS = 10.0
FEATURES = ["instance-create-reqv1", "node-migrate-reqv1", "node-evac-res1", "instance-reinstall-reqv1"]
#: What `GET /2/jobs/ID` shows, in Ganeti's words; the list of jobs leaves out the last two.
_JOB_FIELDS = (
    "id",
    "ops",
    "status",
    "summary",
    "opstatus",
    "received_ts",
    "start_ts",
    "end_ts",
    "oplog",
    "opresult",
)


@dataclass(frozen=True)
class Request:
    """A request as its handler sees it; ``body`` None means there was none."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: Any
    name: str = ""

    def flag(self, name: str) -> bool:
        """Return a query parameter that is 0 or 1."""
        try:
            return bool(int(self.query.get(name, ["0"])[0]))
        except ValueError:
            raise HttpError(400, f"Invalid value for the '{name}' parameter") from None

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of a query parameter."""
        return self.query.get(name, [default])[0]

    @property
    def is_bulk(self) -> bool:
        """Whether everything about each object is wanted, not only its name."""
        return self.flag("bulk")


Handler = Callable[["Resources", Request], Any]


class Resources:
    """Answers requests from the cluster and the queue."""

    def __init__(self, cluster: Cluster, queue: JobQueue) -> None:
        self.cluster = cluster
        self.queue = queue

    def find(self, method: str, target: str) -> tuple[Handler, str]:
        """Return the handler of a request and the object named in its path; HttpError 404 or 501."""
        path = target.partition("?")[0]
        for pattern, handlers in ROUTES:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if method not in handlers:
                raise HttpError(501, f"Method {method} is unsupported for path {path}")
            return handlers[method], match.groupdict().get("name", "")
        raise HttpError(404)

    def handle(self, method: str, target: str, body: Any) -> Any:
        """Return what a request is answered with; HttpError for an error status."""
        handler, name = self.find(method, target)
        path, _, query = target.partition("?")
        request = Request(method=method, path=path, query=parse_qs(query), body=body, name=name)
        return handler(self, request)

    # -- submission --------------------------------------------------------------------------------------

    def submit(self, request: Request, opcode: str, body: Mapping[str, Any], fixed: dict[str, Any]) -> int:
        """Queue a job whose parameters come from the body and, not to be overwritten, the request line."""
        fixed = {**fixed, "reason": self._reason(request)}
        doubled = sorted(set(body) & set(fixed))
        if doubled:
            names = ", ".join(repr(name) for name in doubled)
            raise HttpError(400, f"Can't overwrite static parameters {{{names}}}")
        return self.queue.submit(complete(opcode, {**body, **fixed}))

    def _reason(self, request: Request) -> list[list[Any]]:
        trail: list[list[Any]] = []
        text = request.text("reason")
        if text is not None:
            trail.append(["gnt:user", text, time.time_ns()])
        words = [word for word in request.path.split("/")[2:] if word]
        parts = ["name" if position == 1 else word for position, word in enumerate(words)]
        kind = "cluster_modify" if parts == ["modify"] else "_".join(parts)
        trail.append([f"gnt:library:rlib2:{kind}", "", time.time_ns()])
        return trail


def _required_object(body: Any) -> dict[str, Any]:
    if not mapping(body):
        name = type(body).__name__
        raise HttpError(400, f"Body contents: Type is '{name}', but 'dict' is expected")
    return dict(body)


def _object(body: Any) -> dict[str, Any]:
    """Return an optional body."""
    return {} if body is None else _required_object(body)


def _submission(
    opcode: str,
    key: str = "instance_name",
    *,
    dry_run: bool = True,
    body: Callable[[Any], dict[str, Any]] = _object,
    **fixed: Any,
) -> Handler:
    """Return the handler that submits an opcode on the object named in the path."""

    def handler(resources: Resources, request: Request) -> Any:
        values = {**({key: request.name} if key else {}), **fixed}
        if dry_run:
            values["dry_run"] = request.flag("dry-run")
        return resources.submit(request, opcode, body(request.body), values)

    return handler


def _changes(body: Any) -> dict[str, Any]:
    """Return a body that Ganeti takes apart without looking whether it is there."""
    if body is None:
        raise HttpError(500, "'NoneType' object has no attribute 'copy'")
    if not isinstance(body, dict):
        raise HttpError(500, "list indices must be integers or slices, not str")
    return dict(body)


def _only_dependencies(body: Any) -> dict[str, Any]:
    """Return what Ganeti reads of the body of a call that has none: the jobs to wait for."""
    return {"depends": body["depends"]} if isinstance(body, dict) and "depends" in body else {}


# -- cluster ---------------------------------------------------------------------------------------------


def _info(resources: Resources, _request: Request) -> Any:
    with resources.cluster.lock:
        return views.info(resources.cluster)


def _nodes(resources: Resources, request: Request) -> Any:
    with resources.cluster.lock:
        rows = views.node_rows(resources.cluster)
    return rows if request.is_bulk else _links("id", "nodes", rows)


def _node(resources: Resources, request: Request) -> Any:
    with resources.cluster.lock:
        return _named(views.node_rows(resources.cluster), request.name)


def _groups(resources: Resources, request: Request) -> Any:
    with resources.cluster.lock:
        rows = [views.group_row(resources.cluster)]
    return rows if request.is_bulk else _links("name", "groups", rows)


def _group(resources: Resources, request: Request) -> Any:
    with resources.cluster.lock:
        return _named([views.group_row(resources.cluster)], request.name)


def _cluster_tags(resources: Resources, _request: Request) -> Any:
    with resources.cluster.lock:
        return sorted(resources.cluster.tags)


def _links(key: str, kind: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: row["name"], "uri": f"/2/{kind}/{row['name']}"} for row in rows]


def _named(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for row in rows:
        if name in (row["name"], row["uuid"]):
            return row
    raise HttpError(404)


# -- instances and networks ------------------------------------------------------------------------------


def _instances(resources: Resources, request: Request) -> Any:
    cluster = resources.cluster
    with cluster.lock:
        rows = [views.instance_row(cluster, cluster.instances[name]) for name in sorted(cluster.instances)]
    return rows if request.is_bulk else _links("id", "instances", rows)


def _instance(resources: Resources, request: Request) -> Any:
    cluster = resources.cluster
    with cluster.lock:
        if request.name not in cluster.instances:
            raise HttpError(404)
        return views.instance_row(cluster, cluster.instances[request.name])


def _instance_tags(resources: Resources, request: Request) -> Any:
    with resources.cluster.lock:
        instance = resources.cluster.instances.get(request.name)
        if instance is None:
            # Not 404: the query underneath fails.
            raise HttpError(500, f"('Instance name {request.name} not found', 'unknown_entity')")
        return sorted(instance.tags)


def _create_instance(resources: Resources, request: Request) -> Any:
    body = _required_object(request.body)
    version = body.pop("__version__", 0)
    if version != 1:
        raise HttpError(400, f"Instance creation request version {version} is no longer supported")
    for short, name in (("name", "instance_name"), ("os", "os_type")):
        if short in body:
            body[name] = body.pop(short)
    if isinstance(body.get("nics"), list):
        body["nics"] = [_without_nulls(nic) for nic in body["nics"]]
    return resources.submit(request, "OP_INSTANCE_CREATE", body, {"dry_run": request.flag("dry-run")})


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in value.items() if item is not None}


def _reboot(resources: Resources, request: Request) -> Any:
    handler = _submission(
        "OP_INSTANCE_REBOOT",
        reboot_type=request.text("type", "hard"),
        ignore_secondaries=request.flag("ignore_secondaries"),
    )
    return handler(resources, request)


def _shutdown(resources: Resources, request: Request) -> Any:
    return _submission("OP_INSTANCE_SHUTDOWN", no_remember=request.flag("no_remember"))(resources, request)


def _startup(resources: Resources, request: Request) -> Any:
    handler = _submission(
        "OP_INSTANCE_STARTUP",
        body=_only_dependencies,
        force=request.flag("force"),
        no_remember=request.flag("no_remember"),
    )
    return handler(resources, request)


def _activate_disks(resources: Resources, request: Request) -> Any:
    handler = _submission(
        "OP_INSTANCE_ACTIVATE_DISKS", body=_only_dependencies, ignore_size=request.flag("ignore_size")
    )
    return handler(resources, request)


def _grow(resources: Resources, request: Request) -> Any:
    disk = int(request.path.split("/")[5])
    return _submission("OP_INSTANCE_GROW_DISK", dry_run=False, body=_changes, disk=disk)(resources, request)


def _networks(resources: Resources, request: Request) -> Any:
    cluster = resources.cluster
    with cluster.lock:
        networks = [cluster.networks[name] for name in sorted(cluster.networks)]
        if request.is_bulk:
            return [views.network_row(cluster, network) for network in networks]
        return [{"name": network.name, "uri": f"/2/networks/{network.name}"} for network in networks]


def _network(resources: Resources, request: Request) -> Any:
    cluster = resources.cluster
    with cluster.lock:
        if request.name not in cluster.networks:
            raise HttpError(404)
        return views.network_row(cluster, cluster.networks[request.name])


def _network_tags(resources: Resources, request: Request) -> Any:
    with resources.cluster.lock:
        network = resources.cluster.networks.get(request.name)
        if network is None:
            raise HttpError(500, f"('Network name {request.name} not found', 'unknown_entity')")
        return sorted(network.tags)


def _tags(opcode: str, kind: str) -> Handler:
    def handler(resources: Resources, request: Request) -> Any:
        fixed = {
            "kind": kind,
            "name": request.name or None,
            "tags": request.query.get("tag", []),
            "dry_run": request.flag("dry-run"),
        }
        return resources.submit(request, opcode, _only_dependencies(request.body), fixed)

    return handler


# -- jobs ------------------------------------------------------------------------------------------------


def _jobs(resources: Resources, request: Request) -> Any:
    ids = resources.queue.ids()
    if not request.is_bulk:
        return [{"id": number, "uri": f"/2/jobs/{number}"} for number in ids]
    jobs = [resources.queue.fields(number) for number in ids]
    return [{name: job[name] for name in _JOB_FIELDS[:-2]} for job in jobs if job is not None]


def _job(resources: Resources, request: Request) -> Any:
    number = int(request.name)
    shown = resources.queue.fields(number) or {"id": number}
    return {name: shown.get(name) for name in _JOB_FIELDS}


def _cancel(resources: Resources, request: Request) -> Any:
    return list(resources.queue.cancel(int(request.name)))


def _wait(resources: Resources, request: Request) -> Any:
    body = request.body
    if body is None:
        raise HttpError(500, "'NoneType' object is not subscriptable")
    body = _required_object(body)
    for name in ("fields", "previous_job_info", "previous_log_serial"):
        if name not in body:
            raise HttpError(400, f"Required parameter '{name}' is missing")
    if not isinstance(body["fields"], list):
        raise HttpError(400, "'fields' parameter: the type is not 'list'")
    serial = body["previous_log_serial"]
    try:
        change = resources.queue.wait_for_change(
            int(request.name),
            [str(name) for name in body["fields"]],
            body["previous_job_info"],
            serial if isinstance(serial, int) else None,
            JOB_WAIT_SECONDS,
        )
    except LookupError:
        raise HttpError(500, "Can't load job file") from None
    return {"job_info": change[0], "log_entries": change[1]}


# -- the table -------------------------------------------------------------------------------------------

_N = r"(?P<name>[\w._-]+)"


def _constant(value: Any) -> Handler:
    return lambda _resources, _request: value


_TABLE: list[tuple[str, dict[str, Handler]]] = [
    ("/", {"GET": _constant(None)}),
    ("/2", {"GET": _constant(None)}),
    ("/version", {"GET": _constant(2)}),
    ("/2/features", {"GET": _constant(FEATURES)}),
    ("/2/info", {"GET": _info}),
    ("/2/os", {"GET": lambda resources, _: list(resources.cluster.options.operating_systems)}),
    ("/2/modify", {"PUT": _submission("OP_CLUSTER_SET_PARAMS", "", dry_run=False, body=_changes)}),
    (
        "/2/tags",
        {
            "GET": _cluster_tags,
            "PUT": _tags("OP_TAGS_SET", "cluster"),
            "DELETE": _tags("OP_TAGS_DEL", "cluster"),
        },
    ),
    ("/2/nodes", {"GET": _nodes}),
    (f"/2/nodes/{_N}", {"GET": _node}),
    ("/2/groups", {"GET": _groups}),
    (f"/2/groups/{_N}", {"GET": _group}),
    ("/2/instances", {"GET": _instances, "POST": _create_instance}),
    (
        f"/2/instances/{_N}",
        {"GET": _instance, "DELETE": _submission("OP_INSTANCE_REMOVE", ignore_failures=False)},
    ),
    (f"/2/instances/{_N}/startup", {"PUT": _startup}),
    (f"/2/instances/{_N}/shutdown", {"PUT": _shutdown}),
    (f"/2/instances/{_N}/activate-disks", {"PUT": _activate_disks}),
    (f"/2/instances/{_N}/reboot", {"POST": _reboot}),
    (
        f"/2/instances/{_N}/rename",
        {"PUT": _submission("OP_INSTANCE_RENAME", dry_run=False, body=_changes)},
    ),
    (
        f"/2/instances/{_N}/modify",
        {"PUT": _submission("OP_INSTANCE_SET_PARAMS", dry_run=False, body=_changes)},
    ),
    (rf"/2/instances/{_N}/disk/\d+/grow", {"POST": _grow}),
    (
        f"/2/instances/{_N}/tags",
        {
            "GET": _instance_tags,
            "PUT": _tags("OP_TAGS_SET", "instance"),
            "DELETE": _tags("OP_TAGS_DEL", "instance"),
        },
    ),
    (
        "/2/networks",
        {"GET": _networks, "POST": _submission("OP_NETWORK_ADD", "", body=_required_object)},
    ),
    (
        f"/2/networks/{_N}",
        {"GET": _network, "DELETE": _submission("OP_NETWORK_REMOVE", "network_name")},
    ),
    (f"/2/networks/{_N}/connect", {"PUT": _submission("OP_NETWORK_CONNECT", "network_name")}),
    (f"/2/networks/{_N}/disconnect", {"PUT": _submission("OP_NETWORK_DISCONNECT", "network_name")}),
    (
        f"/2/networks/{_N}/modify",
        {"PUT": _submission("OP_NETWORK_SET_PARAMS", "network_name", dry_run=False)},
    ),
    (
        f"/2/networks/{_N}/tags",
        {
            "GET": _network_tags,
            "PUT": _tags("OP_TAGS_SET", "network"),
            "DELETE": _tags("OP_TAGS_DEL", "network"),
        },
    ),
    ("/2/jobs", {"GET": _jobs}),
    (r"/2/jobs/(?P<name>\d+)", {"GET": _job, "DELETE": _cancel}),
    (r"/2/jobs/(?P<name>\d+)/wait", {"GET": _wait}),
]
ROUTES = [(re.compile(path), handlers) for path, handlers in _TABLE]
