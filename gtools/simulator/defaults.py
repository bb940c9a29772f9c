"""What a fresh Ganeti 3.0 cluster has before anybody configures it."""

from __future__ import annotations

from typing import Any

SOFTWARE_VERSION = "3.0.2"
PROTOCOL_VERSION = 3000000
MAC_PREFIX = "aa:00:00"
FIRST_CONSOLE_PORT = 11000

BEPARAMS: dict[str, Any] = {
    "minmem": 128,
    "maxmem": 128,
    "vcpus": 1,
    "auto_balance": True,
    "always_failover": False,
    "spindle_use": 1,
}

#: Parameters of the hypervisors that tests and demos use.
HVPARAMS: dict[str, dict[str, Any]] = {
    "kvm": {
        "acpi": True,
        "boot_order": "disk",
        "cdrom_image_path": "",
        "cdrom2_image_path": "",
        "cdrom_disk_type": "",
        "cpu_type": "",
        "disk_cache": "default",
        "disk_type": "paravirtual",
        "floppy_image_path": "",
        "initrd_path": "",
        "kernel_args": "ro",
        "kernel_path": "",
        "keymap": "",
        "kvm_extra": "",
        "kvm_flag": "",
        "kvm_path": "/usr/bin/kvm",
        "machine_version": "",
        "migration_mode": "live",
        "nic_type": "paravirtual",
        "reboot_behavior": "reboot",
        "root_path": "/dev/vda1",
        "security_model": "none",
        "serial_console": True,
        "serial_speed": 38400,
        "usb_mouse": "",
        "use_localtime": False,
        "vga": "",
        "vhost_net": False,
        "vnc_bind_address": "127.0.0.1",
        "vnc_password_file": "",
    },
    "fake": {"migration_mode": "live"},
}
#: Parameters that only the cluster may set.
GLOBAL_HVPARAMS = frozenset({"migration_mode", "migration_port", "migration_bandwidth", "kvm_path"})
HOTPLUG_HYPERVISORS = frozenset({"kvm"})
CONSOLE_HYPERVISORS = frozenset({"kvm"})

NDPARAMS: dict[str, Any] = {
    "oob_program": "",
    "spindle_count": 1,
    "exclusive_storage": False,
    "ovs": False,
    "ovs_name": "switch1",
    "ovs_link": "",
    "ssh_port": 22,
    "cpu_speed": 1,
}
NICPARAMS: dict[str, Any] = {"mode": "bridged", "link": "br0", "vlan": ""}


def ipolicy(disk_templates: tuple[str, ...]) -> dict[str, Any]:
    """Return an instance policy that admits everything from tiny test instances upwards."""
    keys = ("memory-size", "disk-size", "disk-count", "cpu-count", "nic-count", "spindle-use")
    return {
        "minmax": [
            {
                "min": dict(zip(keys, (16, 4, 0, 1, 0, 0), strict=True)),
                "max": dict(zip(keys, (32768, 1048576, 16, 32, 16, 32), strict=True)),
            }
        ],
        "std": dict(zip(keys, (128, 1024, 1, 1, 1, 1), strict=True)),
        "spindle-ratio": 32,
        "vcpu-ratio": 64,
        "disk-templates": sorted(disk_templates),
    }
