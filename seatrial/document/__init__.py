"""The pipeline document: the KFP v2 ``PipelineSpec``, read strictly into frozen objects.

``read`` turns YAML into a `Document` and raises on anything that it does not understand: a construct that nobody
executes must not be skipped in silence. ``expression`` evaluates trigger conditions, ``values`` casts parameters and
``placeholders`` fills ``{{$...}}``. Nothing here runs a task.
"""

from seatrial.document.model import Document
from seatrial.document.read import read, read_text

__all__ = ["Document", "read", "read_text"]
