"""What a document asks of Kubernetes: what can be left out on one machine, and what a task would miss.

Where a pod is placed, how its image is pulled and how long it may take does not change what the task computes; it is
left out and noted. A secret, a volume or a field of the pod is read by the task; without it the task would do
something else, so it is refused, unless the document itself says that it may be absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Any

_LEFT_OUT = {
    "activeDeadlineSeconds": "the time limit",
    "enabledSharedMemory": "the size of shared memory",
    "imagePullPolicy": "the image pull policy",
    "imagePullSecret": "image pull secrets",
    "nodeAffinity": "the node affinity",
    "nodeSelector": "the node selector",
    "podAffinity": "the pod affinity",
    "podMetadata": "labels and annotations of the pod",
    "securityContext": "the security context",
    "tolerations": "tolerations",
}
_MISSED = {
    "configMapAsEnv": "a config map as environment variables",
    "configMapAsVolume": "a config map as files",
    "emptyDirMounts": "an empty volume",
    "fieldPathAsEnv": "fields of its pod as environment variables",
    "genericEphemeralVolume": "a volume",
    "pvcMount": "a persistent volume",
    "secretAsEnv": "a secret as environment variables",
    "secretAsVolume": "a secret as files",
}
# of the pipeline, not of a task
_HARMLESS_OF_PIPELINE = frozenset({"workspace", "pipelineTtl", "ttl", "maxParallelism", "semaphoreKey", "mutexName"})


def problems(platforms: Mapping[str, Json], executor: str) -> list[str]:
    """What a task would miss here."""
    found = []
    for key, value in _settings(platforms, executor).items():
        if key in _MISSED:
            if not _optional(value):
                found.append(f"needs {_MISSED[key]} ({key}), which only Kubernetes has")
        elif key not in _LEFT_OUT:
            found.append(f"asks Kubernetes for {key}, and what that would change is not known")
    return found


def left_out(platforms: Mapping[str, Json], executor: str) -> list[str]:
    """What is not done here and changes no result, or may be absent."""
    found = []
    for key, value in _settings(platforms, executor).items():
        if key in _LEFT_OUT:
            found.append(f"{_LEFT_OUT[key]} ({key})")
        elif key in _MISSED and _optional(value):
            found.append(f"{_MISSED[key]}, which may be absent ({key})")
    return found


def pipeline_problems(platforms: Mapping[str, Json]) -> list[str]:
    """What is not understood of the configuration of the whole pipeline."""
    found = []
    for name, table in platforms.items():
        if name != "kubernetes" or not isinstance(table, dict):
            found.append(f"the configuration for platform '{name}' is not known here")
            continue
        found += [
            f"kubernetes.{key} is not known here" for key in sorted(set(table) - {"deploymentSpec", "pipelineConfig"})
        ]
        config = table.get("pipelineConfig") or {}
        found += [
            f"kubernetes.pipelineConfig.{key} is not known here" for key in sorted(set(config) - _HARMLESS_OF_PIPELINE)
        ]
    return found


def _settings(platforms: Mapping[str, Json], executor: str) -> dict[str, Json]:
    table = platforms.get("kubernetes")
    executors = ((table.get("deploymentSpec") or {}).get("executors") or {}) if isinstance(table, dict) else {}
    found = executors.get(executor) or {}
    return found if isinstance(found, dict) else {"": found}


def _optional(value: Json) -> bool:
    """Whether every one of several secrets or config maps may be absent."""
    several = value if isinstance(value, list) else [value]
    return all(isinstance(one, dict) and one.get("optional") is True for one in several)
