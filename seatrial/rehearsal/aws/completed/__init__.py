"""moto's services with the operations that infrastructure needs and moto lacks or answers wrongly.

All of it is *stored*: what was put comes back, and is refused where AWS refuses it. `completing` puts it in place.
"""

from seatrial.rehearsal.aws.completed.place import completing

__all__ = ["completing"]
