"""For each resource type one full program's worth of properties, and what of them is then changed in place."""

from __future__ import annotations

from tests.rehearsal.infra.provider.examples_access import IAM, POLICIES, SAGEMAKER
from tests.rehearsal.infra.provider.examples_functions import BUDGETS, LAMBDA
from tests.rehearsal.infra.provider.examples_network import NETWORK
from tests.rehearsal.infra.provider.examples_storage import ECR, KMS, S3
from tests.rehearsal.infra.provider.examples_watching import CLOUDWATCH, EVENTS, SNS

EXAMPLES = (*S3, *KMS, *IAM, *POLICIES, *SAGEMAKER, *ECR, *CLOUDWATCH, *EVENTS, *SNS, *LAMBDA, *BUDGETS, *NETWORK)
