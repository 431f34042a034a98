"""What SageMaker does as a role without asking any service of this server: fetching an image, using keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from seatrial.rehearsal.aws.iam.authority import Authority, Denied, Need

_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)")
_FETCHES = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def require_image(authority: Authority, role: str, uri: str) -> None:
    """Fetch an image as a role, as far as its permissions go. Images outside of ECR take none.

    Raises:
        Denied: the role may not.
    """
    found = _ECR.match(uri)
    if found is None:
        return
    account, region, repository = found.groups()
    arn = f"arn:aws:ecr:{region}:{account}:repository/{repository}"
    needs = [Need("ecr:GetAuthorizationToken", "*"), *(Need(each, arn) for each in _FETCHES)]
    try:
        authority.require(authority.service_session(role), needs)
    except Denied as denied:
        raise Denied(f"Please ensure that the role may fetch the image {uri}: {denied}") from denied


def require_keys(authority: Authority, role: str, request: Mapping[str, Any]) -> None:
    """Encrypt a processing or training job's disk and outputs as its role, where the request names keys.

    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html

    Raises:
        Denied: the role may not.
    """
    machines = (request.get("ProcessingResources", {}).get("ClusterConfig", {}), request.get("ResourceConfig", {}))
    outputs = (request.get("ProcessingOutputConfig", {}), request.get("OutputDataConfig", {}))
    disks = [each["VolumeKmsKeyId"] for each in machines if each.get("VolumeKmsKeyId")]
    made = [each["KmsKeyId"] for each in outputs if each.get("KmsKeyId")]
    needs = [Need("kms:CreateGrant", str(key), {"kms:GrantIsForAWSResource": "true"}) for key in disks]
    authority.require(authority.service_session(role), [*needs, *(Need("kms:Encrypt", str(key)) for key in made)])
