"""SageMaker gives a job ten inputs and ten outputs; a pipeline should not have to know."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial.clouds.aws import limits
from seatrial.clouds.aws.channels import PACKED, channels_of
from seatrial.document.jobs import Figures, Job, JobOutput, JobResources, Plan
from seatrial.errors import DocumentError

Json = Any


def job(name: str, gives: int = 0, reads: tuple[JobOutput, ...] = (), parameters: tuple[str, ...] = ()) -> Job:
    outputs = {
        "artifacts": {f"a{i}": {"artifactType": {"schemaTitle": "system.Dataset"}} for i in range(gives)},
        "parameters": {p: {"parameterType": "STRING"} for p in parameters},
    }
    return Job(
        name=name,
        tasks=(name,),
        document={"root": {"dag": {"tasks": {}}, "outputDefinitions": outputs}},
        image="bench",
        resources=JobResources(),
        kind="processing",
        parameters={},
        artifacts={f"in{i}": (output,) for i, output in enumerate(reads)},
    )


def planned(*jobs: Job) -> Plan:
    return Plan("p", jobs, {}, {}, Figures(0, 0, 0, 0, 0, 0))


def outputs(name: str, count: int) -> tuple[JobOutput, ...]:
    return tuple(JobOutput(name, f"a{i}") for i in range(count))


@pytest.mark.parametrize("gives", [1, 8, 9, 40])
def test_outputs_fit_whatever_a_job_gives(gives: int) -> None:
    """Scalars and logs have an output each; artifacts share one as soon as they would not fit beside those."""
    made = channels_of(planned(job("a", gives, parameters=("n",)))).made["a"]
    assert len(made.channels) + 1 <= limits.MAX_CHANNELS
    assert (PACKED in made.channels) == (gives > 8)
    assert len({(place.channel, place.below) for place in made.artifacts.values()}) == gives


def test_inputs_fit_by_packing_the_widest_producer() -> None:
    wide, narrow = outputs("wide", 8), outputs("narrow", 2)
    reader = job("reader", reads=(*wide, *narrow))
    channels = channels_of(planned(job("wide", 8), job("narrow", 2), reader))
    assert [pair for pair in channels.inputs(reader) if pair[0] == "wide"] == [("wide", PACKED)]
    assert len([pair for pair in channels.inputs(reader) if pair[0] == "narrow"]) == 2


def test_inputs_that_fit_are_left_alone() -> None:
    """Packed, a reader of one artifact would have to fetch all of them."""
    reader = job("reader", reads=outputs("wide", 8))
    assert PACKED not in channels_of(planned(job("wide", 8), reader)).made["wide"].channels


def test_too_many_producers_are_refused() -> None:
    many = [job(f"p{i}", 1) for i in range(10)]
    reader = job("reader", reads=tuple(JobOutput(p.name, "a0") for p in many))
    with pytest.raises(DocumentError, match="job 'reader' reads 10 folders") as caught:
        channels_of(planned(*many, reader))
    assert "at most 10 inputs" in caught.value.why


def test_odd_names_of_artifacts_are_still_different_folders() -> None:
    odd = job("a")
    odd.document["root"]["outputDefinitions"]["artifacts"] = {n: {} for n in ("values", "logs", "a b", "a/b", "x" * 99)}
    made = channels_of(planned(odd)).made["a"]
    places = [place.channel for place in made.artifacts.values()]
    assert len(set(places)) == 5
    assert not set(places) & {"values", "logs"}
