"""The opcodes: their parameters with defaults, and which values Ganeti accepts at submission."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gtools.simulator.errors import HttpError
from gtools.simulator.jobfile import FINAL_STATUSES

Check = Callable[[Any], bool]

_DISK_TEMPLATES = frozenset(
    {"blockdev", "diskless", "drbd", "ext", "file", "gluster", "plain", "rbd", "sharedfile"}
)
_NIC_KEYS = frozenset({"bridge", "ip", "link", "mac", "mode", "name", "network", "vlan"})
_MODIFICATIONS = frozenset({"add", "attach", "detach", "modify", "remove"})


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def anything(_value: Any) -> bool:
    """Accept every value."""
    return True


def text(value: Any) -> bool:
    """Accept text that is not empty."""
    return isinstance(value, str) and value != ""


def boolean(value: Any) -> bool:
    """Accept true and false."""
    return isinstance(value, bool)


def mapping(value: Any) -> bool:
    """Accept an object."""
    return isinstance(value, dict)


def natural(value: Any) -> bool:
    """Accept a whole number from 0."""
    return _is_int(value) and value >= 0


def texts(value: Any) -> bool:
    """Accept a list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def optional(check: Check) -> Check:
    """Accept null too."""
    return lambda value: value is None or check(value)


def one_of(*values: Any) -> Check:
    """Accept one of these values."""
    return lambda value: isinstance(value, str) and value in values


def nics(value: Any) -> bool:
    """Accept the NICs of a new instance."""
    if not isinstance(value, list):
        return False
    return all(isinstance(item, dict) and item.keys() <= _NIC_KEYS for item in value)


def disks(value: Any) -> bool:
    """Accept the disks of a new instance."""
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def modifications(value: Any) -> bool:
    """Accept ``[[action, which, parameters], …]``."""
    if not isinstance(value, list):
        return False
    return all(
        isinstance(item, list)
        and len(item) == 3
        and isinstance(item[0], str)
        and item[0] in _MODIFICATIONS
        and (_is_int(item[1]) or isinstance(item[1], str))
        and isinstance(item[2], dict)
        for item in value
    )


def dependencies(value: Any) -> bool:
    """Accept ``[[job id, [final status, …]], …]``."""
    if not isinstance(value, list):
        return False
    return all(
        isinstance(item, list)
        and len(item) == 2
        and _is_int(item[0])
        and texts(item[1])
        and set(item[1]) <= FINAL_STATUSES
        for item in value
    )


def address(value: Any) -> bool:
    """Accept an IPv4 address."""
    return _parses(ipaddress.IPv4Address, value)


def address6(value: Any) -> bool:
    """Accept an IPv6 address."""
    return _parses(ipaddress.IPv6Address, value)


def network6(value: Any) -> bool:
    """Accept an IPv6 network."""
    return _parses(ipaddress.IPv6Network, value)


def network(value: Any) -> bool:
    """Accept an IPv4 network; a malformed one breaks Ganeti's own check, which RAPI answers with 500."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9.]+/[0-9]+", value):
        return False
    try:
        ipaddress.IPv4Network(value)
    except ValueError as error:
        raise HttpError(500, str(error)) from None
    return True


def addresses(value: Any) -> bool:
    """Accept a list of IPv4 addresses."""
    return isinstance(value, list) and all(address(item) for item in value)


def _parses(parse: Callable[[str], Any], value: Any) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return isinstance(value, str)


@dataclass(frozen=True)
class Parameter:
    """A parameter of an opcode; ``default`` is used when it is not given."""

    default: Any
    check: Check


_COMMON = {
    "dry_run": Parameter(None, optional(boolean)),
    "debug_level": Parameter(0, natural),
    "priority": Parameter(0, _is_int),
    "depends": Parameter(None, optional(dependencies)),
    "comment": Parameter(None, optional(text)),
    "reason": Parameter([], anything),
}
_INSTANCE = {"instance_name": Parameter(None, text), "instance_uuid": Parameter(None, optional(text))}
_NETWORK = {"network_name": Parameter(None, text)}
_TAGS = {
    "kind": Parameter(None, one_of("cluster", "instance", "network", "node", "nodegroup")),
    "tags": Parameter([], texts),
    "name": Parameter(None, optional(text)),
}


def _yes() -> Parameter:
    return Parameter(True, boolean)


def _no() -> Parameter:
    return Parameter(False, boolean)


def _nothing(*names: str) -> dict[str, Parameter]:
    return {name: Parameter(None, anything) for name in names}


OPCODES: dict[str, dict[str, Parameter]] = {
    "OP_INSTANCE_CREATE": {
        "instance_name": Parameter(None, text),
        "mode": Parameter(None, one_of("create", "import", "remote-import")),
        "os_type": Parameter(None, optional(text)),
        "disk_template": Parameter(None, optional(one_of(*_DISK_TEMPLATES))),
        "disks": Parameter(None, disks),
        "nics": Parameter(None, nics),
        "beparams": Parameter({}, mapping),
        "hvparams": Parameter({}, mapping),
        "osparams": Parameter({}, mapping),
        "osparams_private": Parameter({}, mapping),
        "osparams_secret": Parameter({}, mapping),
        "hypervisor": Parameter(None, optional(text)),
        "iallocator": Parameter(None, optional(text)),
        "pnode": Parameter(None, optional(text)),
        "snode": Parameter(None, optional(text)),
        "tags": Parameter([], texts),
        "start": _yes(),
        "wait_for_sync": _yes(),
        "ip_check": _yes(),
        "name_check": _yes(),
        "conflicts_check": _yes(),
        "force_variant": _no(),
        "identify_defaults": _no(),
        "ignore_ipolicy": _no(),
        "instance_communication": _no(),
        "opportunistic_locking": _no(),
        "forthcoming": _no(),
        "commit": _no(),
        "no_install": Parameter(None, optional(boolean)),
        "compress": Parameter("none", text),
        "file_driver": Parameter(None, optional(text)),
        "source_shutdown_timeout": Parameter(120, natural),
        "helper_startup_timeout": Parameter(300, natural),
        "helper_shutdown_timeout": Parameter(7200, natural),
        **_nothing("group_name", "file_storage_dir", "pnode_uuid", "snode_uuid", "src_node", "src_node_uuid"),
        **_nothing("src_path", "source_handshake", "source_instance_name", "source_x509_ca"),
    },
    "OP_INSTANCE_REMOVE": {
        **_INSTANCE,
        "shutdown_timeout": Parameter(120, natural),
        "ignore_failures": _no(),
    },
    "OP_INSTANCE_STARTUP": {
        **_INSTANCE,
        "force": _no(),
        "ignore_offline_nodes": _no(),
        "hvparams": Parameter({}, mapping),
        "beparams": Parameter({}, mapping),
        "no_remember": _no(),
        "startup_paused": _no(),
        "shutdown_timeout": Parameter(120, natural),
    },
    "OP_INSTANCE_ACTIVATE_DISKS": {**_INSTANCE, "ignore_size": _no(), "wait_for_sync": _no()},
    "OP_INSTANCE_SHUTDOWN": {
        **_INSTANCE,
        "force": _no(),
        "ignore_offline_nodes": _no(),
        "timeout": Parameter(120, natural),
        "no_remember": _no(),
        "admin_state_source": Parameter("admin", text),
    },
    "OP_INSTANCE_REBOOT": {
        **_INSTANCE,
        "shutdown_timeout": Parameter(120, natural),
        "ignore_secondaries": _no(),
        "reboot_type": Parameter(None, one_of("soft", "hard", "full")),
    },
    "OP_INSTANCE_RENAME": {
        **_INSTANCE,
        "new_name": Parameter(None, text),
        "name_check": _yes(),
        "ip_check": _yes(),
    },
    "OP_INSTANCE_GROW_DISK": {
        **_INSTANCE,
        "disk": Parameter(None, natural),
        "amount": Parameter(None, natural),
        "absolute": _no(),
        "wait_for_sync": _yes(),
        "ignore_ipolicy": _no(),
    },
    "OP_INSTANCE_SET_PARAMS": {
        **_INSTANCE,
        "nics": Parameter([], modifications),
        "disks": Parameter([], modifications),
        "beparams": Parameter({}, mapping),
        "hvparams": Parameter({}, mapping),
        "osparams": Parameter({}, mapping),
        "osparams_private": Parameter(None, optional(mapping)),
        "os_name": Parameter(None, optional(text)),
        "wait_for_sync": _yes(),
        "conflicts_check": _yes(),
        "hotplug": _no(),
        "hotplug_if_possible": _no(),
        "force": _no(),
        "force_variant": _no(),
        "ignore_ipolicy": _no(),
        "offline": Parameter(None, optional(boolean)),
        "ext_params": Parameter({}, mapping),
        **_nothing("runtime_mem", "disk_template", "file_driver", "file_storage_dir", "pnode", "pnode_uuid"),
        **_nothing("remote_node", "remote_node_uuid", "iallocator", "instance_communication"),
    },
    "OP_TAGS_SET": _TAGS,
    "OP_TAGS_DEL": _TAGS,
    "OP_NETWORK_ADD": {
        **_NETWORK,
        "network": Parameter(None, network),
        "gateway": Parameter(None, optional(address)),
        "network6": Parameter(None, optional(network6)),
        "gateway6": Parameter(None, optional(address6)),
        "mac_prefix": Parameter(None, optional(text)),
        "add_reserved_ips": Parameter(None, optional(addresses)),
        "conflicts_check": _yes(),
        "tags": Parameter([], texts),
    },
    "OP_NETWORK_REMOVE": {**_NETWORK, "force": _no()},
    "OP_NETWORK_SET_PARAMS": {
        **_NETWORK,
        "gateway": Parameter(None, optional(text)),
        "network6": Parameter(None, optional(text)),
        "gateway6": Parameter(None, optional(text)),
        "mac_prefix": Parameter(None, optional(text)),
        "add_reserved_ips": Parameter(None, optional(addresses)),
        "remove_reserved_ips": Parameter(None, optional(addresses)),
    },
    "OP_NETWORK_CONNECT": {
        **_NETWORK,
        "group_name": Parameter(None, text),
        "network_mode": Parameter("bridged", one_of("bridged", "routed", "openvswitch")),
        "network_link": Parameter("br0", text),
        "network_vlan": Parameter("", lambda value: isinstance(value, str)),
        "conflicts_check": _yes(),
    },
    "OP_NETWORK_DISCONNECT": {**_NETWORK, "group_name": Parameter(None, text)},
    "OP_CLUSTER_SET_PARAMS": {
        "force": _no(),
        "enabled_disk_templates": Parameter(None, optional(texts)),
        "hvparams": Parameter(None, optional(mapping)),
        "beparams": Parameter(None, optional(mapping)),
        "ipolicy": Parameter(None, optional(mapping)),
        **_nothing("hv_state", "disk_state", "vg_name", "enabled_hypervisors", "os_hvp", "osparams"),
        **_nothing("osparams_private_cluster", "diskparams", "candidate_pool_size", "max_running_jobs"),
        **_nothing("max_tracked_jobs", "uid_pool", "add_uids", "remove_uids", "maintain_node_health"),
        **_nothing("prealloc_wipe_disks", "nicparams", "ndparams", "drbd_helper", "default_iallocator"),
        **_nothing("default_iallocator_params", "mac_prefix", "master_netdev", "master_netmask"),
        **_nothing("reserved_lvs", "hidden_os", "blacklisted_os", "use_external_mip_script"),
        **_nothing("modify_etc_hosts", "file_storage_dir", "shared_file_storage_dir", "gluster_storage_dir"),
        **_nothing("install_image", "instance_communication_network", "zeroing_image", "compression_tools"),
        **_nothing("enabled_user_shutdown", "enabled_data_collectors", "data_collector_interval"),
    },
}


def complete(opcode: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an opcode's input: given parameters over defaults; HttpError 400 for what Ganeti refuses."""
    parameters = {**OPCODES[opcode], **_COMMON}
    for name in given:
        if name not in parameters:
            class_name = "".join(word.capitalize() for word in opcode.split("_"))
            raise HttpError(
                400, f"Invalid body parameters: Object {class_name} doesn't support the parameter '{name}'"
            )
    result = {name: given.get(name, parameter.default) for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        if not parameter.check(result[name]):
            problem = f"Parameter '{opcode}.{name}' fails validation"
            raise HttpError(400, f"Invalid body parameters: (\"{problem}\", 'wrong_input')")
    return {**result, "OP_ID": opcode}
