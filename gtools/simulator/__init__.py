"""A simulated Ganeti cluster for demonstrations and tests: RAPI, job queue directory, query socket."""

from gtools.simulator.options import NodeOptions, SimulatorOptions
from gtools.simulator.simulator import AlreadyRunning, Simulator

__all__ = ["AlreadyRunning", "NodeOptions", "Simulator", "SimulatorOptions"]
