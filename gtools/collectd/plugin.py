"""The module that collectd's python plugin loads: hands `samples` to collectd.

It runs in collectd's own interpreter, so it needs the standard library only.
"""

from __future__ import annotations

import importlib
from typing import Any

from gtools.collectd import samples

#: Exists inside collectd only.
collectd: Any = importlib.import_module("collectd")

_directories = {
    "piddirectory": samples.PID_DIRECTORY,
    "nicdirectory": samples.NIC_DIRECTORY,
    "procdirectory": samples.PROC,
    "netdirectory": samples.SYS_NET,
}


def configure(config: Any) -> None:
    """Take the directories from the ``<Module>`` block."""
    for node in config.children:
        key = node.key.lower()
        if key in _directories and len(node.values) == 1:
            _directories[key] = str(node.values[0])
        else:
            collectd.warning(f"ganeti-stats: there is no option {node.key}")


def read() -> None:
    """Hand over one sample of everything."""
    for cpu in samples.cpu_samples(_directories["piddirectory"], _directories["procdirectory"]):
        values = collectd.Values(host=cpu.instance, plugin="cpu", type="virt_cpu_total")
        values.dispatch(values=[cpu.percent_seconds])
    for nic in samples.nic_samples(_directories["nicdirectory"], _directories["netdirectory"]):
        values = collectd.Values(host=nic.instance, plugin="interface", type="if_octets")
        values.dispatch(type_instance=f"eth{nic.index}", values=[nic.received, nic.sent])


collectd.register_config(configure)
collectd.register_read(read)
