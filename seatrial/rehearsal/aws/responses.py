"""SageMaker's HTTP side: moto's, with the operations that execute put in its place and a check before each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores

from seatrial.errors import UsageError
from seatrial.rehearsal.aws.answers import as_aws_answers
from seatrial.rehearsal.aws.endpoints.operations import EndpointOperations
from seatrial.rehearsal.aws.job import Job
from seatrial.rehearsal.aws.operations import Worth, executed, worth
from seatrial.rehearsal.aws.pipelines.operations import PipelineOperations
from seatrial.rehearsal.aws.processing import ProcessingJob, processing_gaps, processing_problems
from seatrial.rehearsal.aws.refusals import Refused, invalid, unsupported
from seatrial.rehearsal.aws.registry import RegistryOperations
from seatrial.rehearsal.aws.strictness import as_message, role_problem, shape_problems
from seatrial.rehearsal.aws.training import TrainingJob, training_gaps, training_problems
from seatrial.rehearsal.aws.transform import TransformJob, container_of, transform_gaps, transform_problems

_CHANGING = ("create_", "start_", "update_", "delete_")


class SageMaker(EndpointOperations, PipelineOperations, RegistryOperations):
    """One request. `moto` makes an instance for each; ``world`` is shared."""

    def call_action(self) -> Any:
        """Refuse what is unsupported or malformed, then let the operation answer."""
        name = self._get_action()
        action = camelcase_to_underscores(name)
        refusal = self._refusal(name, action)
        if refusal is not None:
            status, headers, body = self.serialized(ActionResult(refusal))
            return int(status), headers, body
        with self.world.changing if action.startswith(_CHANGING) else nullcontext():
            return super().call_action()

    def serialized(self, action_result: Any) -> Any:
        """The answer on the wire, as AWS would word it."""
        return super().serialized(as_aws_answers(self._get_action(), action_result))

    def _refusal(self, name: str, action: str) -> Refused | None:
        if worth(type(self), action) is Worth.UNSUPPORTED:
            return unsupported(f"the SageMaker operation {name}")
        problems = shape_problems(name, self.params)
        if problems:
            return invalid(as_message(problems))
        if action.startswith(("create_", "update_")):
            source = f"arn:aws:sagemaker:{self.region}:{self.current_account}:*"
            for key in ("RoleArn", "ExecutionRoleArn"):
                problem = self.params.get(key) and role_problem(self.world.iam, self.params[key], source)
                if problem:
                    return invalid(problem)
        return None

    # jobs

    def _start(self, kind: type[Job], create: Callable[[], Any], *, image: str, **more: Any) -> Any:
        name = self.params[f"{kind.kind.capitalize()}JobName"]
        jobs = getattr(self.sagemaker_backend, f"{kind.kind}_jobs")
        taken = jobs.get(name)
        if taken is not None:
            raise Refused(
                "ResourceInUse",
                "Job name must be unique within an AWS account and region, and a job with this name already exists "
                f"({taken.arn})",
            )
        request = copy.deepcopy(dict(self.params))
        try:
            self.world.image(image)
        except UsageError as unknown:
            raise unsupported(str(unknown)) from unknown
        answer = create()
        record = jobs[name]
        job = kind(self.world, name=name, arn=record.arn, region=self.region, request=request, record=record, **more)
        record.rehearsed = job
        self.world.jobs[self.region, kind.kind, name] = job
        job.start()
        return answer

    def _job(self, kind: type[Job]) -> Any:
        name = self.params[f"{kind.kind.capitalize()}JobName"]
        record = getattr(self.sagemaker_backend, f"{kind.kind}_jobs").get(name)
        job = getattr(record, "rehearsed", None)  # moto has its record a moment earlier
        if job is None:
            raise invalid(kind.not_found.format(name=name))
        return job

    def _stop(self, kind: type[Job]) -> Any:
        job = self._job(kind)
        if not job.stop():
            refusal = f"The request was rejected because the {kind.kind} job is in status {job.status}"
            raise invalid(refusal)
        return EmptyResult()

    def _delete(self, kind: type[Job]) -> Any:
        job = self._job(kind)
        if job.status in ("InProgress", "Stopping"):
            raise Refused("ResourceInUse", f"The {kind.kind} job {job.arn} is in status {job.status}")
        del getattr(self.sagemaker_backend, f"{kind.kind}_jobs")[job.name]
        self.world.jobs.pop((self.region, kind.kind, job.name), None)
        return EmptyResult()

    @executed
    def create_processing_job(self) -> Any:
        """Start a processing job."""
        problems = processing_problems(self.params)
        if problems:
            raise invalid(as_message(problems))
        uri = self.params["AppSpecification"]["ImageUri"]
        contained = any(image.engine for image in self.world.images if image.answers_to(uri))
        gaps = processing_gaps(self.params, image_enters=contained)
        if gaps:
            raise unsupported(f"in processing jobs: {'; '.join(gaps)}")
        return self._start(
            ProcessingJob, super().create_processing_job, image=self.params["AppSpecification"]["ImageUri"]
        )

    @executed
    def describe_processing_job(self) -> Any:
        """What the job was asked and what became of it."""
        return ActionResult(self._job(ProcessingJob).describe())

    @executed
    def stop_processing_job(self) -> Any:
        """Ask the job to end; a job that has ended already is refused, as on AWS."""
        return self._stop(ProcessingJob)

    @executed
    def delete_processing_job(self) -> Any:
        """Forget a job that has ended."""
        return self._delete(ProcessingJob)

    @executed
    def create_training_job(self) -> Any:
        """Start a training job."""
        problems = training_problems(self.params)
        if problems:
            raise invalid(as_message(problems))
        gaps = training_gaps(self.params, image_trains=self._image_trains())
        if gaps:
            raise unsupported(f"in training jobs: {'; '.join(gaps)}")
        image = self.params["AlgorithmSpecification"]["TrainingImage"]
        return self._start(TrainingJob, super().create_training_job, image=image)

    def _image_trains(self) -> bool:
        uri = self.params["AlgorithmSpecification"].get("TrainingImage", "")
        return any(image.trains for image in self.world.images if image.answers_to(uri))

    @executed
    def describe_training_job(self) -> Any:
        """What the job was asked and what became of it."""
        return ActionResult(self._job(TrainingJob).describe())

    @executed
    def stop_training_job(self) -> Any:
        """Ask the job to end; a job that has ended already is refused, as on AWS."""
        return self._stop(TrainingJob)

    @executed
    def delete_training_job(self) -> Any:
        """Forget a job that has ended."""
        return self._delete(TrainingJob)

    @executed
    def create_transform_job(self) -> Any:
        """Start a batch transform job."""
        model = self.sagemaker_backend._models.get(self.params["ModelName"])
        problems = transform_problems(self.params, known=model is not None)
        if problems:
            raise invalid(as_message(problems))
        container = container_of(model.response_object)
        role = str(model.response_object.get("ExecutionRoleArn", ""))
        uri = (container or {}).get("Image", "")
        serves = any(image.serves for image in self.world.images if image.answers_to(uri))
        gaps = transform_gaps(self.params, container, image_serves=serves)
        if gaps:
            raise unsupported(f"in transform jobs: {'; '.join(gaps)}")
        return self._start(TransformJob, super().create_transform_job, image=uri, model=container, role=role)

    @executed
    def describe_transform_job(self) -> Any:
        """What the job was asked and what became of it."""
        return ActionResult(self._job(TransformJob).describe())

    @executed
    def list_transform_jobs(self) -> Any:
        """The jobs and their states, from moto's records, which the jobs keep in step."""
        return super().list_transform_jobs()

    @executed
    def stop_transform_job(self) -> Any:
        """Ask the job to end; a job that has ended already is refused, as on AWS."""
        return self._stop(TransformJob)
