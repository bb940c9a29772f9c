"""Consoles of simulated instances: while one runs, its console port shows what there is to tell about it.

What is typed appears on the screen, so that a whole way from a keyboard to an instance can be tried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
import threading

from gtools.simulator import screen
from gtools.simulator.cluster import Cluster, Instance

log = logging.getLogger(__name__)

_VERSION = b"RFB 003.008\n"
_SECURITY_NONE = 1
#: Client messages of fixed length, without their first byte (RFC 6143, 7.5).
_LENGTHS = {0: 19, 2: 3, 3: 9, 4: 7, 5: 5, 6: 7}
_SET_FORMAT, _SET_ENCODINGS, _UPDATE, _KEY, _CUT_TEXT = 0, 2, 3, 4, 6
_BACKSPACE, _RETURN = 0xFF08, 0xFF0D
_MAX_CUT_TEXT = 1 << 20
_MAX_TYPED = 200


class _Viewer:
    """One connection to one instance's console."""

    def __init__(self, console: _Console, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._console = console
        self._reader = reader
        self._writer = writer
        self._shape = screen.PixelFormat()
        self._shown: list[str | None] = [None] * screen.ROWS
        self._wants_update = False

    async def serve(self) -> None:
        """Speak RFB until the viewer leaves."""
        await self._greet()
        while True:
            kind = (await self._reader.readexactly(1))[0]
            if kind not in _LENGTHS:
                return
            await self._handle(kind, await self._reader.readexactly(_LENGTHS[kind]))
            await self._writer.drain()

    async def _greet(self) -> None:
        self._writer.write(_VERSION)
        await self._reader.readexactly(len(_VERSION))
        self._writer.write(bytes([1, _SECURITY_NONE]))
        await self._reader.readexactly(1)
        self._writer.write(struct.pack("!I", 0))
        await self._reader.readexactly(1)
        name = self._console.instance.name.encode()
        self._writer.write(struct.pack("!HH", screen.WIDTH, screen.HEIGHT) + self._shape.encode())
        self._writer.write(struct.pack("!I", len(name)) + name)

    async def _handle(self, kind: int, body: bytes) -> None:
        if kind == _SET_FORMAT:
            self._shape = screen.PixelFormat.decode(body[3:])
            self._shown = [None] * screen.ROWS
        elif kind == _SET_ENCODINGS:
            await self._reader.readexactly(4 * struct.unpack("!xH", body)[0])
        elif kind == _CUT_TEXT:
            length = struct.unpack("!3xi", body)[0]
            # Negative lengths are an extension's, which was not announced.
            await self._reader.readexactly(min(abs(length), _MAX_CUT_TEXT))
        elif kind == _KEY:
            pressed, symbol = struct.unpack("!B2xI", body)
            if pressed:
                self._console.type(symbol)
        elif kind == _UPDATE:
            if not body[0]:
                self._shown = [None] * screen.ROWS
            self._wants_update = True
            self.update()

    def update(self) -> None:
        """Send the lines that changed, if the viewer waits for an update."""
        lines = self._console.lines()
        changed = [row for row, line in enumerate(lines) if line != self._shown[row]]
        if not changed or not self._wants_update:
            return
        self._writer.write(struct.pack("!BxH", 0, len(changed)))
        for row in changed:
            place = (0, row * screen.CELL_HEIGHT, screen.WIDTH, screen.CELL_HEIGHT)
            self._writer.write(struct.pack("!HHHHi", *place, 0) + screen.draw_line(lines[row], self._shape))
        self._shown = list(lines)
        self._wants_update = False

    def close(self) -> None:
        self._writer.close()


class _Console:
    """The console of one running instance."""

    def __init__(self, cluster: Cluster, instance: Instance) -> None:
        self.instance = instance
        self._cluster = cluster
        self._typed = ""
        self._viewers: set[_Viewer] = set()
        self._server: asyncio.Server | None = None

    async def open(self, address: str) -> None:
        self._server = await asyncio.start_server(self._serve, address, self.instance.network_port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        viewer = _Viewer(self, reader, writer)
        self._viewers.add(viewer)
        try:
            await viewer.serve()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._viewers.discard(viewer)
            writer.close()

    def lines(self) -> list[str]:
        """Return what is on the screen."""
        instance = self.instance
        with self._cluster.lock:
            running = instance.running or {}
            facts = [
                ("Instance", instance.name),
                ("State", "running" if instance.running else "stopped"),
                ("CPUs", str(running.get("vcpus", 0))),
                ("Memory", f"{running.get('memory', 0)} MiB"),
                ("Disks", ", ".join(f"{disk.size} MiB" for disk in instance.disks) or "none"),
                ("Addresses", ", ".join(nic.ip for nic in instance.nics if nic.ip) or "none"),
            ]
        shown = [f"  {name:<12}{value}" for name, value in facts]
        note = ["  No machine is behind this screen: the cluster is", "  simulated. What you type:"]
        typed = [f"  > {self._typed[-screen.COLUMNS + 6 :]}_"]
        return screen.fit(["", "  Synnefo demo cloud", "", *shown, "", *note, "", *typed])

    def type(self, symbol: int) -> None:
        """Take a pressed key."""
        if symbol == _BACKSPACE:
            self._typed = self._typed[:-1]
        elif symbol == _RETURN:
            self._typed = ""
        elif 0x20 <= symbol < 0x7F:
            self._typed = (self._typed + chr(symbol))[-_MAX_TYPED:]
        self.refresh()

    def refresh(self) -> None:
        """Show what changed to all who look."""
        for viewer in self._viewers:
            viewer.update()

    def close(self) -> None:
        """Turn the screen off."""
        if self._server is not None:
            self._server.close()
        for viewer in list(self._viewers):
            viewer.close()


class Consoles:
    """The consoles of all running instances of a cluster, at one address; has a thread of its own."""

    def __init__(self, cluster: Cluster, address: str) -> None:
        self._cluster = cluster
        self._address = address
        self._consoles: dict[str, _Console] = {}
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="Consoles", daemon=True)
        self._stopping = False

    def start(self) -> None:
        """Serve, and follow the cluster's changes."""
        self._cluster.observers.append(self.notify)
        self._thread.start()
        self.notify()

    def stop(self) -> None:
        """Turn all screens off."""
        self._cluster.observers.remove(self.notify)
        self._stopping = True
        self.notify()
        self._thread.join(timeout=10)

    def notify(self) -> None:
        """Note, in any thread, that the cluster changed."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._changed.set)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._follow())

    async def _follow(self) -> None:
        while not self._stopping:
            await self._changed.wait()
            self._changed.clear()
            await self._synchronise()
        for console in self._consoles.values():
            console.close()

    async def _synchronise(self) -> None:
        with self._cluster.lock:
            wanted = {
                instance.uuid: instance
                for instance in self._cluster.instances.values()
                if instance.running is not None and instance.network_port is not None
            }
        for uuid in self._consoles.keys() - wanted.keys():
            self._consoles.pop(uuid).close()
        for uuid, instance in wanted.items():
            console = self._consoles.get(uuid)
            if console is not None:
                console.refresh()
                continue
            console = _Console(self._cluster, instance)
            try:
                await console.open(self._address)
            except OSError as error:
                log.warning("console of %s: %s", instance.name, error)
            else:
                self._consoles[uuid] = console
