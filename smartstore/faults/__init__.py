"""Faults of devices and of the network, from documents like those in ``configs/faults``."""

from smartstore.faults.document import FaultPlan, FaultsError, Restart, RestartBroker, load_faults
from smartstore.faults.play import Faults

__all__ = ["FaultPlan", "Faults", "FaultsError", "Restart", "RestartBroker", "load_faults"]
