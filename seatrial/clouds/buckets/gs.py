"""Google Cloud Storage."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.clouds.buckets.found import Found, Gone, Object, changed, nothing_there
from seatrial.errors import MissingExtra, ResourceError

_PATIENCE_S = 30.0
"""How long a request that fails for a passing reason is repeated."""
_NOT_THE_BUCKET = ("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
"""Else the library looks up the bucket from a thread of its own, for traces: nobody granted that, and it shows as
denied in the audit log; where the service is away, it goes on trying long after its caller has ended."""


def look_up(uri: str, bucket: str, key: str) -> Found:
    """See `seatrial.clouds.buckets.look_up`."""
    with _translated(uri):
        client, retry = _client()

        def read(item: Object, target: Path) -> None:
            place = f"gs://{bucket}/{item.key}"
            with _translated(place, gone=changed):
                blob = client.bucket(bucket).blob(item.key)
                blob.download_to_filename(str(target), if_generation_match=int(item.version), retry=retry)

        if key and not key.endswith("/"):
            blob = client.bucket(bucket).get_blob(key, retry=retry)
            if blob is not None:
                return Found(uri, key, (Object(key, str(blob.generation)),), read)
        prefix = f"{key.rstrip('/')}/" if key else ""
        listed = client.list_blobs(bucket, prefix=prefix, fields="items(name,generation),nextPageToken", retry=retry)
        objects = tuple(Object(blob.name, str(blob.generation)) for blob in listed)
    if not objects:
        raise nothing_there(uri)
    return Found(uri, prefix, objects, read)


def _client() -> tuple[Any, Any]:
    try:
        from google.cloud import storage
        from google.cloud.storage.retry import DEFAULT_RETRY
    except ImportError as exc:
        raise MissingExtra("Reading gs://", "google-cloud-storage", "gcp") from exc
    os.environ.setdefault(*_NOT_THE_BUCKET)
    return storage.Client(project=None), DEFAULT_RETRY.with_timeout(_PATIENCE_S)


@contextlib.contextmanager
def _translated(place: str, gone: Gone = nothing_there) -> Iterator[None]:
    try:
        from google.api_core import exceptions as api
        from google.auth import exceptions as auth
        from google.cloud.storage.exceptions import DataCorruption
        from requests.exceptions import RequestException
    except ImportError as exc:
        raise MissingExtra("Reading gs://", "google-cloud-storage", "gcp") from exc
    try:
        yield
    except api.NotFound as exc:
        raise gone(place) from exc
    except api.PreconditionFailed as exc:
        raise changed(place) from exc
    except (auth.DefaultCredentialsError, auth.RefreshError) as exc:
        raise ResourceError(
            f"there are no credentials to read {place}, or they have expired",
            why="Cloud Storage answers only who signs in.",
            todo="Run: gcloud auth application-default login (or set GOOGLE_APPLICATION_CREDENTIALS to a key file).",
        ) from exc
    except (api.Forbidden, api.Unauthorized) as exc:
        raise ResourceError(
            f"access to {place} is denied",
            why="Cloud Storage also says so of a bucket that is not there.",
            todo="Grant the role Storage Object Viewer (storage.objects.get and list) on the bucket, or check it.",
        ) from exc
    except (api.GoogleAPIError, auth.GoogleAuthError, DataCorruption, RequestException) as exc:
        raise ResourceError(
            f"{place} cannot be read: {str(exc)[:300]}",
            why="The request did not reach Cloud Storage, it refused, or what came is damaged.",
            todo="Check the network and STORAGE_EMULATOR_HOST, then run the same command again.",
        ) from exc
