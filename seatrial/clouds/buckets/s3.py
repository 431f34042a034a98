"""Amazon S3 and what speaks its protocol."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.clouds.buckets.found import Found, Gone, Object, changed, nothing_there
from seatrial.errors import MissingExtra, ResourceError

_GONE = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_DENIED = frozenset({"401", "403", "AccessDenied", "AllAccessDisabled"})
_BAD_CREDENTIALS = frozenset(
    {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)
_CHANGED = frozenset({"412", "PreconditionFailed"})


def look_up(uri: str, bucket: str, key: str) -> Found:
    """See `seatrial.clouds.buckets.look_up`."""
    client = _client()

    def read(item: Object, target: Path) -> None:
        place = f"s3://{bucket}/{item.key}"
        with _translated(place, gone=changed):
            answer = client.get_object(Bucket=bucket, Key=item.key, IfMatch=item.version)
            with target.open("xb") as stream:
                shutil.copyfileobj(answer["Body"], stream, 1 << 20)

    with _translated(uri):
        if key and not key.endswith("/"):
            tag = _tag(client, bucket, key)
            if tag is not None:
                return Found(uri, key, (Object(key, tag),), read)
        prefix = f"{key.rstrip('/')}/" if key else ""
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        objects = tuple(Object(o["Key"], o["ETag"]) for page in pages for o in page.get("Contents", ()))
    if not objects:
        raise nothing_there(uri)
    return Found(uri, prefix, objects, read)


def _tag(client: Any, bucket: str, key: str) -> str | None:
    from botocore.exceptions import ClientError

    try:
        return str(client.head_object(Bucket=bucket, Key=key)["ETag"])
    except ClientError as exc:
        if _code(exc) in _GONE:
            return None
        raise


def _client() -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as exc:
        raise MissingExtra("Reading s3://", "boto3", "aws") from exc
    from botocore.exceptions import BotoCoreError

    try:
        # importers run in threads, which must not share boto3's default session
        return boto3.session.Session().client(
            "s3", config=Config(connect_timeout=10, retries={"mode": "standard", "max_attempts": 3})
        )
    except (BotoCoreError, ValueError) as exc:
        raise ResourceError(
            f"no client of S3 can be made: {exc}",
            why="Its settings come from the environment and ~/.aws.",
            todo="Correct AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL or ~/.aws/config.",
        ) from exc


def _code(exc: Any) -> str:
    return str(exc.response.get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def _translated(place: str, gone: Gone = nothing_there) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except ClientError as exc:
        raise _refused(place, _code(exc), exc, gone) from exc
    except (NoCredentialsError, PartialCredentialsError) as exc:
        raise ResourceError(
            f"there are no credentials to read {place}",
            why=f"S3 answers only who signs: {exc}.",
            todo="Sign in (aws sso login), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ) from exc
    except BotoCoreError as exc:
        raise ResourceError(
            f"{place} cannot be read: {exc}",
            why="The request did not reach S3, or its answer broke off.",
            todo="Check the network and AWS_ENDPOINT_URL, then run the same command again.",
        ) from exc


def _refused(place: str, code: str, exc: Exception, gone: Gone) -> ResourceError:
    if code in _GONE:
        return gone(place)
    if code in _CHANGED:
        return changed(place)
    if code in _DENIED:
        return ResourceError(
            f"access to {place} is denied",
            why="S3 also says so of an object that is not there to who may not list the bucket.",
            todo="Grant s3:GetObject on the object and s3:ListBucket on the bucket (and kms:Decrypt on its key), "
            "or check the key.",
        )
    if code in _BAD_CREDENTIALS:
        return ResourceError(
            f"the credentials for {place} are not accepted: {code}",
            why="They are wrong or have expired.",
            todo="Sign in again (aws sso login), or correct AWS_PROFILE or the access key.",
        )
    return ResourceError(
        f"{place} cannot be read: {exc}",
        why="S3 refused the request.",
        todo="Correct what it names, then run the same command again.",
    )
