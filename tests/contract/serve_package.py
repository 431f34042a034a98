"""``serve`` of the contract's image: the project's model server behind SageMaker's port, as a container would be."""

import os
from collections.abc import Sequence
from pathlib import Path

from seatrial.clouds.local.server import ServedPackage, serve
from seatrial.serving.servable import Row

predict = ServedPackage.predict


def predict_or_fail(self: ServedPackage, rows: Sequence[Row]) -> Sequence[float]:
    """Version 2 fails on requests of exactly two rows: a fault that no golden sample shows."""
    if self.version == "2" and len(rows) == 2:
        raise RuntimeError("two rows are too many")
    return predict(self, rows)


if __name__ == "__main__":
    ServedPackage.predict = predict_or_fail  # type: ignore[method-assign]
    serve(
        Path("/opt/ml/model"),
        name=os.environ["SEATRIAL_MODEL"],
        version=os.environ["SEATRIAL_VERSION"],
        host="127.0.0.1",
        port=int(os.environ["SAGEMAKER_BIND_TO_PORT"]),
        limits={
            "max_rows": int(os.environ["SEATRIAL_MAX_ROWS"]),
            "max_body_bytes": int(os.environ["SEATRIAL_MAX_BODY_BYTES"]),
        },
    )
