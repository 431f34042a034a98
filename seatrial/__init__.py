"""Seatrial: one definition of a machine-learning system, proven offline before it meets a cloud.

Importing this package is cheap and has no effects; each subpackage imports its heavy libraries where it needs them.
"""

__version__ = "0.1.0"
