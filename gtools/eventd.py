"""``snf-ganeti-eventd``: publishes what happens to Ganeti jobs (ganeti-backend contract 6).

One thread reads job files into the spool, another sends the spool to the broker: a broker that is away or
hangs never delays reading, and job statuses are short-lived.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import secrets
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gtools import luxi, settings, ssconf
from gtools.jobfile import Job, JobFileError, message_for, read_job
from gtools.queue_watch import Watcher, archive_path, scan, scan_archive, watch
from gtools.spool import SeenStatus, Spool, SpoolFull
from synnefo import amqp
from synnefo.messages import FINAL_STATUSES, Heartbeat, routing_key_of
from synnefo.service_status import notify_systemd, write_health

logger = logging.getLogger("snf-ganeti-eventd")

CONFIRM_BUFFER = 25
SEND_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 2.0
RESCAN_SECONDS = 30.0
RENAME_SLACK_NS = 10_000_000_000
HEALTH_SECONDS = 5.0
DRAIN_SECONDS = 5.0
STALE_HEARTBEAT_SECONDS = 60
LOOKUP_PAUSE_SECONDS = 0.5
#: How far back archived jobs are looked at when the daemon starts or the node becomes the master.
ARCHIVE_SECONDS = 7 * 86400


@dataclass(frozen=True)
class EventdOptions:
    """Where the daemon finds everything.

    spool_dir: directory for what waits for the broker; must survive restarts.
    node_name: this node's name in Ganeti, by default the host's.
    state_patience: seconds for which messages wait when an instance's state can't be asked for.
    """

    queue_dir: str
    ssconf_dir: str
    luxi_socket: str
    spool_dir: str
    amqp_hosts: tuple[str, ...]
    exchange: str = "ganeti"
    spool_limit: int = 100_000
    health_file: str | None = None
    node_name: str | None = None
    state_patience: float = 30.0


class StateUnavailable(Exception):
    """The query daemon does not answer now."""


class Sender:
    """Moves messages from the spool to the broker, in order."""

    def __init__(self, spool: Spool, hosts: Sequence[str], exchange: str) -> None:
        self._spool = spool
        self._hosts = hosts
        self._exchange = exchange
        self._client: amqp.Client | None = None
        self._failures = 0
        self._next_attempt = 0.0
        self.connected = False

    def send(self) -> int:
        """Send a batch unless the broker failed a moment ago; return how many messages it confirmed."""
        if time.monotonic() < self._next_attempt:
            return 0
        messages = self._spool.head(CONFIRM_BUFFER)
        try:
            client = self._connected()
            for message in messages:
                client.publish(self._exchange, message.routing_key, message.body, timeout=SEND_SECONDS)
            client.flush(timeout=SEND_SECONDS)
        except amqp.AmqpError as error:
            self._failed(error, len(messages))
            return 0
        if messages:
            self._spool.remove(messages)
        self._failures = 0
        return len(messages)

    def _connected(self) -> amqp.Client:
        if self._client is None:
            # One pass over the hosts at a time: the daemon itself decides when to try again.
            client = amqp.connect(
                self._hosts,
                max_attempts=len(self._hosts),
                confirm_buffer=CONFIRM_BUFFER,
                name="snf-ganeti-eventd",
            )
            try:
                client.exchange_declare(self._exchange)
            except amqp.AmqpError:
                client.close()
                raise
            self._client = client
            self.connected = True
            logger.info("connected to the broker")
        return self._client

    def _failed(self, error: amqp.AmqpError, waiting: int) -> None:
        self.close()
        self._failures += 1
        pause = min(LONGEST_PAUSE_SECONDS, 0.25 * 2 ** min(self._failures, 5))
        self._next_attempt = time.monotonic() + pause * (0.5 + secrets.randbelow(500) / 1000)
        level = logging.ERROR if self._failures == 1 or waiting == 0 else logging.WARNING
        logger.log(level, "broker: %s (%d messages wait)", error, len(self._spool))

    def close(self) -> None:
        """Drop the connection; unconfirmed messages stay in the spool."""
        client, self._client, self.connected = self._client, None, False
        if client is not None:
            client.close()


class EventDaemon:
    """Watches the job queue while this node is the master."""

    def __init__(self, options: EventdOptions, watcher: Watcher | None = None) -> None:
        self._options = options
        self._spool = Spool(options.spool_dir, options.spool_limit)
        self._ssconf = ssconf.Ssconf(options.ssconf_dir, options.node_name)
        self._luxi = luxi.LuxiClient(options.luxi_socket)
        self._sender = Sender(self._spool, options.amqp_hosts, options.exchange)
        self._watcher = watcher or watch(options.queue_dir)
        self._stop = threading.Event()
        self._wake_sender = threading.Event()
        self._was_master = False
        self._unhandled: set[int] = set()
        self._next_scan = 0.0
        self._next_health = 0.0
        self._luxi_away_since: float | None = None
        self._luxi_next_try = 0.0

    def run_once(self, timeout: float = 0.0) -> int:
        """Handle what changed within ``timeout`` seconds and send it; return how many messages were sent."""
        self.collect(timeout)
        sent = 0
        while batch := self._sender.send():
            sent += batch
        return sent

    def run(self) -> None:
        """Work until `stop`, then send what is left as far as the broker allows."""
        sending = threading.Thread(target=self._send_until_stopped, name="sender", daemon=True)
        sending.start()
        notify_systemd("READY=1")
        try:
            while not self._stop.is_set():
                self._collect_safely()
                self._tell_health()
        finally:
            notify_systemd("STOPPING=1")
            self._stop.set()
            self._wake_sender.set()
            sending.join(DRAIN_SECONDS + SEND_SECONDS)
            self.close()

    def _collect_safely(self) -> None:
        try:
            self.collect(1.0)
        except Exception:
            # A full disk, say: what is in the queue stays there and is read again.
            logger.exception("reading the job queue failed")
            self._next_scan = 0.0
            self._stop.wait(1.0)

    def stop(self) -> None:
        """Have `run` return soon; callable from a signal handler."""
        self._stop.set()

    def close(self) -> None:
        """Give back watcher, connection and files."""
        self._watcher.close()
        self._sender.close()
        self._spool.close()

    def waiting(self) -> int:
        """Return how many messages wait for the broker."""
        return len(self._spool)

    # Reading

    def collect(self, timeout: float) -> None:
        """Put messages about changed jobs into the spool."""
        changed = self._watcher.wait(timeout)
        is_master = self._ssconf.is_master()
        if not is_master:
            self._was_master = False
            self._unhandled.clear()
            return
        self._unhandled |= changed
        if not self._was_master:
            logger.info("this node is the master: reading the job queue")
        if not self._was_master or time.monotonic() >= self._next_scan:
            # A queue that can't be read now is read with its archive as soon as it can.
            self._was_master = self._rescan(with_archive=not self._was_master) or self._was_master
        self._handle_all(self._unhandled)

    def _handle_all(self, jobs: set[int]) -> bool:
        """Handle jobs in the order of their numbers, removing them from the set; return whether none is left.

        While the query daemon is away everything waits, so that messages stay in order.
        """
        try:
            for job in sorted(jobs):
                if self._handle_safely(job):
                    jobs.discard(job)
        except StateUnavailable as error:
            logger.debug("%s", error)
        return not jobs

    def _rescan(self, with_archive: bool) -> bool:
        """Find what notifications missed: changes while the daemon was down, or an overflow of the queue.

        with_archive: look also at jobs that have ended and were archived since the daemon last looked.
        Returns whether the queue could be read.
        """
        started_ns = time.time_ns()
        try:
            present = scan(self._options.queue_dir)
        except OSError as error:
            logger.error("cannot read the job queue: %s", error)
            return False
        self._next_scan = time.monotonic() + RESCAN_SECONDS
        watermark = self._spool.watermark()
        found = {job for job, mtime_ns in present.items() if mtime_ns >= watermark}
        if with_archive and watermark:
            found |= self._archived_since(max(watermark, started_ns - ARCHIVE_SECONDS * 10**9))
        if self._handle_all(found):
            # Some seconds back, because a file may be renamed into place later than its time says.
            newest = min(max(present.values(), default=0), started_ns)
            watermark = max(watermark, newest - RENAME_SLACK_NS)
            self._spool.set_watermark(watermark)
            self._forget_settled(set(present) | self._unhandled, watermark)
        else:
            self._unhandled |= found
        return True

    def _archived_since(self, since_ns: int) -> set[int]:
        try:
            return set(scan_archive(self._options.queue_dir, since_ns))
        except OSError as error:
            logger.error("cannot read the archive of the job queue: %s", error)
            return set()

    def _forget_settled(self, needed: set[int], watermark: int) -> None:
        """Forget jobs that have left the queue, except those that a restart would find in the archive."""
        settled = []
        for job in self._spool.known_jobs() - needed:
            try:
                if archive_path(self._options.queue_dir, job).stat().st_mtime_ns >= watermark:
                    continue
            except OSError:
                pass
            settled.append(job)
        self._spool.forget_jobs(settled)

    def _handle_safely(self, job: int) -> bool:
        """Handle one job; return False if that must be repeated later. One bad job must not stop the rest."""
        try:
            self._handle(job)
        except StateUnavailable:
            raise
        except SpoolFull as error:
            logger.error("spool is full: %s", error)
            self._next_scan = time.monotonic() + 1.0
            return False
        except FileNotFoundError:
            logger.debug("job %d has gone", job)
        except JobFileError as error:
            logger.error("job %d: %s", job, error)
        except (OSError, sqlite3.Error) as error:
            logger.error("job %d, to be tried again: %s", job, error)
            return False
        except Exception:
            logger.exception("job %d", job)
        return True

    def _handle(self, job_id: int) -> None:
        job = self._read(job_id)
        known = self._spool.statuses(job_id)
        cluster = self._ssconf.cluster_name()
        if not cluster:
            # A message without it is nobody's.
            raise OSError("the cluster's name can't be read")
        for op in job.ops:
            before = known.get(op.index)
            if before == op.status or before in FINAL_STATUSES:
                continue
            message = message_for(job, op, cluster, self._lookup)
            if isinstance(message, Heartbeat) and not self._is_due(message, before):
                message = None
            messages = [] if message is None else [(routing_key_of(message), message.encode())]
            self._spool.add(messages, [SeenStatus(job_id, op.index, op.status)])
            if message is not None:
                logger.info("job %d: %s %s", job_id, op.name, op.status)
                self._wake_sender.set()

    def _read(self, job_id: int) -> Job:
        try:
            return read_job(Path(self._options.queue_dir) / f"job-{job_id}")
        except FileNotFoundError:
            return read_job(archive_path(self._options.queue_dir, job_id))

    def _is_due(self, heartbeat: Heartbeat, before: str | None) -> bool:
        """A heartbeat is told once per job, and only while it is news."""
        fresh = time.time() - heartbeat.event_time[0] < STALE_HEARTBEAT_SECONDS
        return fresh and before in (None, "queued")

    def _lookup(self, instance: str) -> luxi.InstanceState | None:
        """Return an instance's state, None if it has gone or the query daemon stays away for too long."""
        now = time.monotonic()
        if now < self._luxi_next_try:
            raise StateUnavailable("the query daemon failed a moment ago")
        try:
            state = self._luxi.instance_state(instance)
        except luxi.LuxiError as error:
            if not error.temporary:
                logger.info("state of %s: %s", instance, error)
                return None
            if self._luxi_away_since is None:
                self._luxi_away_since = now
                logger.warning("state of %s: %s", instance, error)
            if now - self._luxi_away_since < self._options.state_patience:
                self._luxi_next_try = time.monotonic() + LOOKUP_PAUSE_SECONDS
                raise StateUnavailable(str(error)) from error
            logger.error("state of %s, told without it: %s", instance, error)
            return None
        self._luxi_away_since = None
        return state

    # Sending

    def _send_until_stopped(self) -> None:
        while not self._stop.is_set():
            self._send_safely()
            self._wake_sender.wait(0.25 if len(self._spool) else 5.0)
            self._wake_sender.clear()
        end = time.monotonic() + DRAIN_SECONDS
        while len(self._spool) and time.monotonic() < end:
            if not self._send_safely():
                time.sleep(0.1)

    def _send_safely(self) -> int:
        sent = 0
        try:
            while batch := self._sender.send():
                sent += batch
        except Exception:
            logger.exception("sending failed")
            self._sender.close()
        return sent

    def _tell_health(self) -> None:
        if time.monotonic() < self._next_health:
            return
        self._next_health = time.monotonic() + HEALTH_SECONDS
        waiting = len(self._spool)
        state = "master" if self._was_master else "not the master"
        broker = "connected" if self._sender.connected else "away"
        notify_systemd(f"WATCHDOG=1\nSTATUS={state}, broker {broker}, {waiting} messages wait")
        write_health(
            self._options.health_file,
            {"master": self._was_master, "broker": self._sender.connected, "waiting": waiting},
        )


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="snf-ganeti-eventd", description="Publishes Ganeti job events.")
    parser.add_argument("-d", "--debug", action="store_true", help="log more")
    parser.add_argument("-l", "--log", help="log file (default: standard error)")
    parser.add_argument("--pid-file", help="file to write the process id to")
    parser.add_argument("--queue-dir", default="/var/lib/ganeti/queue", help="Ganeti's job queue")
    parser.add_argument("--ssconf-dir", default=ssconf.DEFAULT_DIRECTORY, help="where ssconf_* files are")
    parser.add_argument("--luxi-socket", default=luxi.DEFAULT_SOCKET, help="socket of the query daemon")
    parser.add_argument("--config", help="settings directory (default: SYNNEFO_SETTINGS_DIR)")
    parser.add_argument(
        "--amqp-hosts", action="append", metavar="URL", help="instead of AMQP_HOSTS; repeatable"
    )
    parser.add_argument("--spool-dir", default="/var/lib/snf-ganeti-eventd", help="unsent messages")
    parser.add_argument("--spool-limit", type=int, default=100_000, help="how many messages may wait")
    parser.add_argument("--health-file", help="JSON file that tells how the daemon is")
    parser.add_argument("--node-name", help="this node's name in Ganeti (default: the host's)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the daemon until SIGTERM or SIGINT."""
    options = parse_options(arguments)
    logging.basicConfig(
        filename=options.log,
        level=logging.DEBUG if options.debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    logging.getLogger("watchdog").setLevel(logging.WARNING)
    try:
        configured = settings.load(options.config)
        daemon = EventDaemon(
            EventdOptions(
                queue_dir=options.queue_dir,
                ssconf_dir=options.ssconf_dir,
                luxi_socket=options.luxi_socket,
                spool_dir=options.spool_dir,
                amqp_hosts=tuple(options.amqp_hosts or configured.amqp_hosts),
                exchange=configured.exchange_ganeti,
                spool_limit=options.spool_limit,
                health_file=options.health_file,
                node_name=options.node_name,
            )
        )
    except (settings.SettingsError, OSError) as error:
        logger.error("%s", error)
        return 1
    if options.pid_file:
        Path(options.pid_file).write_text(f"{os.getpid()}\n")
    signal.signal(signal.SIGTERM, lambda *_: daemon.stop())
    signal.signal(signal.SIGINT, lambda *_: daemon.stop())
    try:
        daemon.run()
    finally:
        if options.pid_file:
            with contextlib.suppress(OSError):
                Path(options.pid_file).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
