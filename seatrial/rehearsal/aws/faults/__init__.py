"""Faults that a person or a test injects: the service refuses, an instance is lost, a disk is full, a server hangs."""

from seatrial.rehearsal.aws.faults.fault import Fault, Kind
from seatrial.rehearsal.aws.faults.register import Faults

__all__ = ["Fault", "Faults", "Kind"]
