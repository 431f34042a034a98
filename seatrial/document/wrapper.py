"""A Vertex ``PipelineJob`` around a pipeline document: its ``runtimeConfig`` is taken into the document, or refused.

What describes a job (its name, labels, state) changes nothing that runs and is passed over; every other member is
honoured or named as a problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seatrial.document import values

Json = Any

_TELLING = {"name", "displayName", "labels", "state", "error", "jobDetail", "scheduleName", "templateUri"}
_TELLING |= {"createTime", "startTime", "endTime", "updateTime", "templateMetadata"}
_SAME_HERE = ("PIPELINE_FAILURE_POLICY_UNSPECIFIED", "PIPELINE_FAILURE_POLICY_FAIL_SLOW")


def unwrapped(table: Mapping[str, Json], problems: list[str]) -> Json:
    """The specification in a file, with what a job around it adds.

    ``parameterValues`` become the defaults of the pipeline's parameters, ``gcsOutputDirectory`` its
    ``defaultPipelineRoot``; a failure policy is accepted where it is what runs do anyway.

    Args:
        table: a specification, or a job with ``pipelineSpec``.
        problems: gets what cannot be honoured.
    """
    if "pipelineSpec" not in table:
        return table
    spec = table["pipelineSpec"]
    for key in sorted(set(table) - _TELLING - {"pipelineSpec", "runtimeConfig"}, key=str):
        problems.append(f"{key}: not supported, it belongs to one job on Vertex AI; give it where the job is started")
    config = table.get("runtimeConfig", {})
    if not isinstance(config, dict) or not isinstance(spec, dict):
        problems.append("pipelineSpec and runtimeConfig: expected objects")
        return {}
    given = dict(config)
    spec = _with_defaults(spec, given.pop("parameterValues", {}), problems)
    place = given.pop("gcsOutputDirectory", None)
    if isinstance(place, str):
        spec = {**spec, "defaultPipelineRoot": place}
    elif place is not None:
        problems.append(f"runtimeConfig.gcsOutputDirectory: expected text, found {type(place).__name__}")
    policy = given.pop("failurePolicy", _SAME_HERE[0])
    if policy not in _SAME_HERE:
        problems.append(
            f"runtimeConfig.failurePolicy {policy}: not supported, tasks that do not wait for a failed one still run"
        )
    for key, value in sorted(given.items(), key=str):
        if value not in ({}, None):
            problems.append(f"runtimeConfig.{key}: not supported")
    return spec


def _with_defaults(spec: Mapping[str, Json], given: Json, problems: list[str]) -> Json:
    """The specification with other defaults of its own parameters."""
    if not isinstance(given, dict):
        problems.append(f"runtimeConfig.parameterValues: expected an object, found {type(given).__name__}")
        return spec
    if not given:
        return spec
    root = _object(spec.get("root"))
    inputs = _object(root.get("inputDefinitions"))
    parameters = dict(_object(inputs.get("parameters")))
    for name, value in sorted(given.items(), key=str):
        where = f"runtimeConfig.parameterValues.{name}"
        if name not in parameters:
            takes = f"it takes {', '.join(parameters)}" if parameters else "it takes none"
            problems.append(f"{where}: not a parameter of this pipeline ({takes})")
            continue
        if value is None:
            continue  # not given
        declared = _object(parameters[name])
        try:
            values.cast(value, declared.get("parameterType"))  # type: ignore[arg-type]
        except ValueError as exc:
            problems.append(f"{where}: {exc}")
        parameters[name] = {**declared, "defaultValue": value}
    return {**spec, "root": {**root, "inputDefinitions": {**inputs, "parameters": parameters}}}


def _object(value: Json) -> Mapping[str, Json]:
    """What the reader will say of something else is better than what could be said here."""
    return value if isinstance(value, dict) else {}
