"""Runs in AWS Lambda when the budget is spent: deletes this stack's endpoints that are tagged as temporary.

Deliberately one file that needs nothing but what Lambda brings. It never touches an endpoint without the tag: what
serves customers does not stop because of a bill.
"""

import os
import time
from typing import Any

TAG = {"Key": "seatrial:temporary", "Value": "true"}
PAUSE = 30
"""Seconds before what could not be deleted is tried again: SageMaker deletes no endpoint that is still coming up."""
MARGIN = 15
"""Seconds that one more try and its last words may take."""


def handler(event: Any, context: Any) -> dict[str, list[str]]:  # noqa: ARG001 - Lambda hands both over
    """Delete them, for as long as Lambda gives; the names of what was deleted, and of what was kept, go into the log.

    Raises:
        RuntimeError: some could not be deleted in that time. The others were, and Lambda tries twice more.
    """
    import boto3

    sagemaker = boto3.client("sagemaker")
    deleted: set[str] = set()
    while True:
        kept, failed = _delete(sagemaker, deleted)
        if not failed or context.get_remaining_time_in_millis() < (PAUSE + MARGIN) * 1000:
            break
        time.sleep(PAUSE)
    done = {"deleted": sorted(deleted), "kept": kept}
    print(done)  # noqa: T201 - Lambda's log
    if failed:
        raise RuntimeError(f"not deleted: {'; '.join(failed)}")
    return done


def _delete(sagemaker: Any, deleted: set[str]) -> tuple[list[str], list[str]]:
    """Try each that is there and not going yet: what is kept, and what failed and why."""
    prefix = f"{os.environ['PREFIX']}-"
    kept, failed = [], []
    for page in sagemaker.get_paginator("list_endpoints").paginate(NameContains=prefix):
        for endpoint in page["Endpoints"]:
            name = endpoint["EndpointName"]
            if not name.startswith(prefix) or endpoint["EndpointStatus"] == "Deleting":
                continue
            tags = sagemaker.get_paginator("list_tags").paginate(ResourceArn=endpoint["EndpointArn"])
            if not any(TAG in each["Tags"] for each in tags):
                kept.append(name)
                continue
            try:
                sagemaker.delete_endpoint(EndpointName=name)
                deleted.add(name)
            except sagemaker.exceptions.ClientError as exc:
                failed.append(f"{name}: {exc}")
    return kept, failed
