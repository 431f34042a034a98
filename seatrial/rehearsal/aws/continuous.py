"""S3UploadMode Continuous: files go up while the job runs, and at its end whatever the end is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seatrial.rehearsal.aws.transfer import split_uri

_EVERY_S = 1.0


@contextmanager
def uploading(s3: Any, places: list[tuple[Path, str]]) -> Iterator[None]:
    """Keep each folder's files at its URI until the block ends. A file goes up again when it has changed."""
    seen: dict[Path, tuple[int, int]] = {}
    over = threading.Event()

    def work() -> None:
        while not over.wait(_EVERY_S):
            _upload_changed(s3, places, seen)

    thread = threading.Thread(target=work, daemon=True)
    if places:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if places:
            thread.join()
        _upload_changed(s3, places, seen)


def _upload_changed(s3: Any, places: list[tuple[Path, str]], seen: dict[Path, tuple[int, int]]) -> None:
    for folder, uri in places:
        bucket, prefix = split_uri(uri)
        for path in sorted(folder.rglob("*")):
            try:
                state = path.stat()
                if not path.is_file() or seen.get(path) == (state.st_mtime_ns, state.st_size):
                    continue
                body = path.read_bytes()
            except FileNotFoundError:
                continue  # the program has removed it meanwhile
            key = f"{prefix.rstrip('/')}/{path.relative_to(folder).as_posix()}"
            s3.put_object(Bucket=bucket, Key=key, Body=body)
            seen[path] = (state.st_mtime_ns, state.st_size)
