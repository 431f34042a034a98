"""Jobs and endpoints in containers do what they do in namespaces: the same tests, on the other path."""

from __future__ import annotations

import pytest

from tests.unit.rehearsal.aws.conftest import Bench
from tests.unit.rehearsal.aws.test_endpoints import (
    test_a_canary_moves_the_traffic_and_loses_nothing,
    test_a_challenger_that_errors_is_rolled_back_by_its_alarm,
    test_a_server_that_does_not_come_up_fails_the_endpoint,
    test_an_endpoint_answers_from_its_model,
)
from tests.unit.rehearsal.aws.test_processing import (
    test_a_command_that_the_image_lacks_has_failed,
    test_a_continuous_output_is_there_after_a_failure,
    test_a_continuous_output_is_there_while_the_job_runs,
    test_a_failure_says_what_the_program_said,
    test_a_job_beyond_its_time_is_stopped,
    test_a_job_reads_its_input_runs_its_program_and_uploads_its_output,
    test_a_stop_gives_the_program_time_to_tidy_up,
    test_an_empty_output_is_an_error,
    test_describe_gives_back_what_was_asked,
    test_two_jobs_at_once_do_not_see_each_other,
)
from tests.unit.rehearsal.aws.test_training import (
    test_a_job_beyond_its_time_stops_with_what_it_had,
    test_a_model_is_trained_archived_and_measured,
    test_a_spot_interruption_resumes_from_the_checkpoints,
    test_a_stop_passes_through_stopping,
    test_an_empty_model_is_an_error,
)

__all__ = [
    "test_a_canary_moves_the_traffic_and_loses_nothing",
    "test_a_challenger_that_errors_is_rolled_back_by_its_alarm",
    "test_a_command_that_the_image_lacks_has_failed",
    "test_a_continuous_output_is_there_after_a_failure",
    "test_a_continuous_output_is_there_while_the_job_runs",
    "test_a_failure_says_what_the_program_said",
    "test_a_job_beyond_its_time_is_stopped",
    "test_a_job_beyond_its_time_stops_with_what_it_had",
    "test_a_job_reads_its_input_runs_its_program_and_uploads_its_output",
    "test_a_model_is_trained_archived_and_measured",
    "test_a_server_that_does_not_come_up_fails_the_endpoint",
    "test_a_spot_interruption_resumes_from_the_checkpoints",
    "test_a_stop_gives_the_program_time_to_tidy_up",
    "test_a_stop_passes_through_stopping",
    "test_an_empty_model_is_an_error",
    "test_an_empty_output_is_an_error",
    "test_an_endpoint_answers_from_its_model",
    "test_describe_gives_back_what_was_asked",
    "test_two_jobs_at_once_do_not_see_each_other",
]

pytestmark = pytest.mark.containers


@pytest.fixture
def bench(aws_bench: Bench) -> Bench:
    """Theirs is an offline AWS without an engine."""
    return aws_bench
