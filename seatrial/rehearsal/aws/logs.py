"""CloudWatch Logs: moto's, which reads over the prefix by which everybody finds a job's stream, and over a new key."""

from __future__ import annotations

import json
import threading
from typing import Any

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.responses import LogsResponse


class Logs(LogsResponse):  # type: ignore[misc]  # moto counts as Any
    """FilterLogEvents with a stream name prefix. Without it the lines of one job come with those of all others."""

    _streams: list[str] | None = None
    _making = threading.Lock()

    def create_log_group(self) -> Any:
        """Make a group, once: moto would replace one that came meanwhile, and its streams with it."""
        with self._making:
            return super().create_log_group()

    def create_log_stream(self) -> Any:
        """Make a stream, once."""
        with self._making:
            return super().create_log_stream()

    def filter_log_events(self) -> Any:
        """The events of the streams that begin so."""
        prefix = self._get_param("logStreamNamePrefix")
        group = self.logs_backend.groups.get(self._get_param("logGroupName"))
        if prefix and group is not None:
            self._streams = [name for name in group.streams if name.startswith(prefix)]
            if not self._streams:
                return json.dumps({"events": [], "searchedLogStreams": []})
        return super().filter_log_events()

    def associate_kms_key(self) -> str:
        """Encrypt a group's new lines with a key."""
        self._group().kms_key_id = self._get_param("kmsKeyId")
        return "{}"

    def disassociate_kms_key(self) -> str:
        """Encrypt them with AWS's own again."""
        self._group().kms_key_id = None
        return "{}"

    def _group(self) -> Any:
        group = self.logs_backend.groups.get(self._get_param("logGroupName"))
        if group is None:
            raise ResourceNotFoundException()
        return group

    def _get_param(self, param_name: str, if_none: Any = None) -> Any:
        if param_name == "logStreamNames" and self._streams is not None:
            return self._streams
        return super()._get_param(param_name, if_none)
