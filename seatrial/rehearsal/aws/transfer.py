"""Moves job data between the offline S3 and a job's folders, the way the platform names the files."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from seatrial.clouds.aws.archive import extract


class NothingThere(Exception):
    """No object lies under the URI, or no file in the folder."""


class NotAnArchive(Exception):
    """What lies under the URI is no tar.gz, or only a part of one."""


def split_uri(uri: str) -> tuple[str, str]:
    """'s3://bucket/some/key' as ('bucket', 'some/key')."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def download(s3: Any, uri: str, folder: Path) -> int:
    """Copy every object whose key starts with the URI's key (S3DataType S3Prefix) into ``folder``; returns how many.

    A file is named by its key from the last '/' of the prefix on, or from the prefix's end where a '/' follows it.

    Raises:
        NothingThere: no object matches.
    """
    bucket, prefix = split_uri(uri)
    count = 0
    folder.mkdir(parents=True, exist_ok=True)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            key = found["Key"]
            if key.endswith("/"):
                continue
            target = folder / _relative(key, prefix)
            if not target.resolve().is_relative_to(folder.resolve()):
                raise NothingThere(f"the key {key!r} leads out of the folder it would be copied to")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:  # no HEAD first: a denial of that comes without words
                shutil.copyfileobj(s3.get_object(Bucket=bucket, Key=key)["Body"], file)
            count += 1
    if not count:
        raise NothingThere(f'No S3 objects found under S3 URL "{uri}" given in input data source')
    return count


def _relative(key: str, prefix: str) -> str:
    rest = key[len(prefix) :]
    if prefix and rest.startswith("/"):
        return rest.lstrip("/")
    return key[prefix.rfind("/") + 1 :]


def upload(s3: Any, folder: Path, uri: str) -> int:
    """Copy every file below ``folder`` under the URI, relative paths kept; returns how many."""
    bucket, prefix = split_uri(uri)
    count = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = PurePosixPath(prefix.rstrip("/")) / path.relative_to(folder).as_posix()
            s3.upload_file(str(path), bucket, str(key))
            count += 1
    return count


def upload_archive(s3: Any, folder: Path, uri: str) -> None:
    """Put the content of ``folder`` as one tar.gz at the URI.

    Raises:
        NothingThere: the folder holds no file.
    """
    if not any(path.is_file() for path in folder.rglob("*")):
        raise NothingThere(f"{folder.name} is empty")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, arcname=path.name)
    bucket, key = split_uri(uri)
    s3.put_object(Bucket=bucket, Key=key, Body=buffer.getvalue())


def download_archive(s3: Any, uri: str, folder: Path) -> None:
    """Unpack the tar.gz at the URI into ``folder``; members that lead out of it are refused.

    Raises:
        NotAnArchive: it cannot be unpacked.
    """
    bucket, key = split_uri(uri)
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:*") as archive:
            extract(archive, folder)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as broken:
        raise NotAnArchive(
            f"Failed to extract model data archive from URL {uri} ({broken}). "
            "Please ensure that the object located at the URL is a valid tar.gz archive."
        ) from broken
