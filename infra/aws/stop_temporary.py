"""Runs in AWS Lambda when the budget is spent: deletes this stack's endpoints that are tagged as temporary.

Deliberately one file that needs nothing but what Lambda brings. It never touches an endpoint without the tag: what
serves customers does not stop because of a bill.
"""

import os
from typing import Any

TAG = {"Key": "seatrial:temporary", "Value": "true"}


def handler(event: Any, context: Any) -> dict[str, list[str]]:  # noqa: ARG001 - Lambda hands both over
    """Delete them; the names of what was deleted, and of what was kept, go into the log.

    Raises:
        RuntimeError: some could not be deleted. The others were, and Lambda tries again.
    """
    import boto3

    sagemaker = boto3.client("sagemaker")
    prefix = f"{os.environ['PREFIX']}-"
    deleted, kept, failed = [], [], []
    for page in sagemaker.get_paginator("list_endpoints").paginate(NameContains=prefix):
        for endpoint in page["Endpoints"]:
            name = endpoint["EndpointName"]
            if not name.startswith(prefix):
                continue
            tags = sagemaker.get_paginator("list_tags").paginate(ResourceArn=endpoint["EndpointArn"])
            if not any(TAG in each["Tags"] for each in tags):
                kept.append(name)
                continue
            try:
                sagemaker.delete_endpoint(EndpointName=name)
                deleted.append(name)
            except sagemaker.exceptions.ClientError as exc:
                failed.append(f"{name}: {exc}")
    done = {"deleted": deleted, "kept": kept}
    print(done)  # noqa: T201 - Lambda's log
    if failed:
        raise RuntimeError(f"not deleted: {'; '.join(failed)}")
    return done
