"""What SageMaker itself does with a role that a job or a model server runs as."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.clouds.aws.permissions.grants import Grant, Place, Role

_LOOKED = "the service looks for the stream before it writes; the rehearsal's does not have to"
_METRICS = "the rehearsal's machines have no metrics of their own to send"


def platform(role: Role, place: Place, log_streams: tuple[str, ...], namespaces: tuple[str, ...]) -> Iterator[Grant]:
    """Fetching the image, writing logs and metrics, joining the network.

    Args:
        role: whom the service acts as.
        place: the stack.
        log_streams: log groups with their streams, as ``/aws/sagemaker/ProcessingJobs:log-stream:pipelines-*``.
        namespaces: of the metrics that the machines send.
    """
    yield Grant(
        role,
        ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
        (place.repository,),
        why="fetch the project's image",
    )
    yield Grant(
        role,
        ("ecr:GetAuthorizationToken",),
        ("*",),
        why="sign in to the registry that holds the image",
        star_reason="the token is the account's: AWS knows no resource for it",
    )
    groups = tuple(dict.fromkeys(each.partition(":")[0] for each in log_streams))
    yield Grant(
        role,
        ("logs:CreateLogGroup",),
        tuple(place.arn("logs", f"log-group:{each}:*") for each in groups),
        why="make the log group where it is missing",
    )
    yield Grant(
        role,
        ("logs:CreateLogStream",),
        tuple(place.arn("logs", f"log-group:{each}:*") for each in groups),
        why="begin the log of a job or a server",
    )
    yield Grant(
        role,
        ("logs:PutLogEvents",),
        tuple(place.arn("logs", f"log-group:{each}") for each in log_streams),
        why="keep what it prints",
    )
    yield Grant(
        role,
        ("logs:DescribeLogStreams",),
        tuple(place.arn("logs", f"log-group:{each}:*") for each in groups),
        why="find the log of a job or a server again",
        unused_reason=_LOOKED,
    )
    yield Grant(
        role,
        ("cloudwatch:PutMetricData",),
        ("*",),
        {"StringEquals": {"cloudwatch:namespace": namespaces}},
        why="tell how busy the machine is",
        star_reason="a metric is no resource; the condition names the namespaces instead",
        unused_reason=_METRICS,
    )
    if place.network:
        yield from _network(role)


def _network(role: Role) -> Iterator[Grant]:
    unused = "the rehearsal has no network of its own to join"
    yield Grant(
        role,
        (
            "ec2:CreateNetworkInterface",
            "ec2:CreateNetworkInterfacePermission",
            "ec2:DeleteNetworkInterface",
            "ec2:DeleteNetworkInterfacePermission",
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ),
        ("*",),
        why="join the stack's subnets",
        star_reason="the interface has no name before the service makes it, and listings have no resource",
        unused_reason=unused,
    )
