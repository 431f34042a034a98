"""A definition that SageMaker would refuse costs minutes to find out about there; here it costs milliseconds."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from seatrial.clouds.aws.check import check
from seatrial.errors import DocumentError
from tests.unit.clouds.aws.definitions import get, join, json_get, read, sound, written

Json = Any
Mistake = Callable[[Json], None]


def step(definition: Json, index: int) -> Json:
    return definition["Steps"][index]


def arguments(definition: Json, index: int) -> Json:
    return definition["Steps"][index]["Arguments"]


def outputs_of(definition: Json, index: int) -> Json:
    return arguments(definition, index)["ProcessingOutputConfig"]["Outputs"]


def first_condition(definition: Json) -> Json:
    return arguments(definition, 3)["Conditions"][0]


def branch(definition: Json) -> Json:
    return arguments(definition, 3)["IfSteps"]


def each(body: list[Json], **more: Json) -> Json:
    given = {"IterableItems": ["a", "b"], "MaxConcurrency": 2, "ForEachBody": body, **more}
    return {"Name": "Each", "Type": "ForEach", "Arguments": given}


MISTAKES: dict[str, tuple[Mistake, str]] = {
    "wrong version": (lambda d: d.update(Version="2021-01-01"), "Version: '2021-01-01'"),
    "unknown top member": (lambda d: d.update(Stages=[]), "Stages: not a member"),
    "unknown step type": (lambda d: step(d, 0).update(Type="Procesing"), "no step type 'Procesing'"),
    "bad step name": (lambda d: step(d, 0).update(Name="pre process"), "'pre process' is not a step name"),
    "step name too long": (lambda d: step(d, 0).update(Name="p" * 65), "is not a step name"),
    "duplicate step names": (lambda d: branch(d)[0].update(Name="Train"), "step 'Train': two steps"),
    "duplicate parameters": (lambda d: d["Parameters"].append(d["Parameters"][0]), "'Role': declared twice"),
    "parameter of unknown type": (lambda d: d["Parameters"][2].update(Type="Int"), "'Int' is not a type"),
    "default of another type": (lambda d: d["Parameters"][2].update(DefaultValue="400"), "default '400' is not"),
    "default outside the options": (lambda d: d["Parameters"][4].update(DefaultValue="x"), "one of its EnumValues"),
    "default too long": (lambda d: d["Parameters"][1].update(DefaultValue="s" * 1025), "1,025 characters"),
    "unknown member of a step": (lambda d: step(d, 0).update(Retry=[]), "Retry: not a member of a Processing"),
    "missing role": (lambda d: arguments(d, 0).pop("RoleArn"), "RoleArn: missing"),
    "malformed role": (lambda d: arguments(d, 0).update(RoleArn="role/training"), "RoleArn: 13 characters"),
    "wrong type": (lambda d: arguments(d, 1)["HyperParameters"].update(epochs=5), "epochs: expected text"),
    "bad enumeration": (
        lambda d: arguments(d, 1)["ResourceConfig"].update(InstanceType="ml.m5.lrge"),
        "'ml.m5.lrge' is not a TrainingInstanceType; did you mean 'ml.m5.large'?",
    ),
    "unknown member": (
        lambda d: arguments(d, 1)["ResourceConfig"].update(InstanceTyp="ml.m5.large"),
        "has no such member",
    ),
    "argument too long": (
        lambda d: arguments(d, 0)["AppSpecification"].update(ContainerArguments=["x" * 257]),
        "257 characters, and at most 256",
    ),
    "joined argument too long": (
        lambda d: arguments(d, 0)["AppSpecification"].update(ContainerArguments=[join("-", "x" * 250, "y" * 250)]),
        "at least 501 characters, and at most 256",
    ),
    "environment value too long": (
        lambda d: arguments(d, 0)["Environment"].update(MODE="x" * 257),
        "257 characters, and at most 256",
    ),
    "environment name with a dash": (lambda d: arguments(d, 0)["Environment"].update({"a-b": "1"}), "does not match"),
    "eleven inputs": (
        lambda d: arguments(d, 0).update(ProcessingInputs=[read(f"i{n}", "s3://b/k") for n in range(11)]),
        "11 items, and at most 10",
    ),
    "eleven outputs": (
        lambda d: outputs_of(d, 2).extend(written(f"o{n}") for n in range(10)),
        "11 items, and at most 10",
    ),
    "hyperparameter too long": (
        lambda d: arguments(d, 1)["HyperParameters"].update(epochs="5" * 2501),
        "2,501 characters, and at most 2,500",
    ),
    "failure's message too long": (
        lambda d: arguments(d, 3)["ElseSteps"][0]["Arguments"].update(ErrorMessage="x" * 3073),
        "3,073 characters, and at most 3,072",
    ),
    "failure's message is a number": (
        lambda d: arguments(d, 3)["ElseSteps"][0]["Arguments"].update(ErrorMessage=3),
        "ErrorMessage: expected text",
    ),
    "function with two outputs of one name": (
        lambda d: branch(d)[1].update(OutputParameters=[{"OutputName": "s", "OutputType": "String"}] * 2),
        "two are called 's'",
    ),
    "function with too many outputs": (
        lambda d: branch(d)[1].update(
            OutputParameters=[{"OutputName": f"s{n}", "OutputType": "String"} for n in range(51)]
        ),
        "51, and at most 50",
    ),
    "unknown parameter": (lambda d: arguments(d, 0).update(RoleArn=get("Parameters.Rol")), "no parameter 'Rol'"),
    "parameter of another kind": (
        lambda d: arguments(d, 1)["HyperParameters"].update(epochs=get("Parameters.Rows")),
        "expected text, and Parameters.Rows is an integer",
    ),
    "unknown execution variable": (
        lambda d: arguments(d, 1)["OutputDataConfig"].update(S3OutputPath=get("Execution.Id")),
        "no execution variable 'Id'",
    ),
    "unknown step": (
        lambda d: arguments(d, 1)["OutputDataConfig"].update(S3OutputPath=get("Steps.Prep.RoleArn")),
        "no step 'Prep'",
    ),
    "unknown property": (
        lambda d: arguments(d, 2)["ProcessingInputs"][0]["S3Input"].update(S3Uri=get("Steps.Train.ModelArtifact.Uri")),
        "has no property 'ModelArtifact.Uri'",
    ),
    "unknown output": (
        lambda d: arguments(d, 2)["ProcessingInputs"][1]["S3Input"].update(
            S3Uri=get("Steps.Preprocess.ProcessingOutputConfig.Outputs['tst'].S3Output.S3Uri")
        ),
        "step 'Preprocess' has no output 'tst'",
    ),
    "unknown output of a function": (
        lambda d: branch(d).append(
            {"Name": "Late", "Type": "Fail", "Arguments": {"ErrorMessage": get("Steps.Tell.OutputParameters['stat']")}}
        ),
        "declares no output 'OutputParameters.stat'",
    ),
    "unknown property file": (
        lambda d: first_condition(d).update(LeftValue=json_get("Evaluate", "Score", "a")),
        "declares no property file 'Score'",
    ),
    "property file of no output": (
        lambda d: step(d, 2)["PropertyFiles"][0].update(OutputName="score"),
        "the step has no output 'score'",
    ),
    "property file read with Get": (
        lambda d: first_condition(d).update(LeftValue=get("Steps.Evaluate.PropertyFiles.Scores")),
        "is read with Std:JsonGet",
    ),
    "not a reference": (lambda d: arguments(d, 0).update(RoleArn=get("Parameters..Role")), "is not a reference"),
    "unknown function": (lambda d: arguments(d, 0).update(RoleArn={"Std:Concat": []}), "no function 'Std:Concat'"),
    "join without values": (lambda d: arguments(d, 0).update(RoleArn={"Std:Join": {"On": ""}}), "a list of Values"),
    "reference to a later step": (
        lambda d: arguments(d, 0)["ProcessingInputs"][0]["S3Input"].update(
            S3Uri=get("Steps.Train.ModelArtifacts.S3ModelArtifacts")
        ),
        "wait for each other: Preprocess → Train → Preprocess",
    ),
    "cyclic DependsOn": (
        lambda d: step(d, 0).update(DependsOn=["Evaluate"]),
        "wait for each other",
    ),
    "unknown DependsOn": (lambda d: step(d, 0).update(DependsOn=["Prepare"]), "DependsOn: there is no step 'Prepare'"),
    "unknown trigger": (
        lambda d: step(d, 2).update(DependsOn=[{"Step": "Train", "Trigger": "Broken"}]),
        "'Broken' is not one of",
    ),
    "reference into the other branch": (
        lambda d: arguments(d, 3)["ElseSteps"][0].update(DependsOn=["Register"]),
        "runs only in the other branch of 'Decide'",
    ),
    "unknown condition": (lambda d: first_condition(d).update(Type="AtLeast"), "'AtLeast' is not a type of condition"),
    "negation as the SDK once wrote it": (
        lambda d: arguments(d, 3)["Conditions"].append({"Type": "Not", "Expression": first_condition(d)}),
        "a condition Not has Condition",
    ),
    "comparison of two kinds": (
        lambda d: first_condition(d).update(LeftValue=get("Parameters.Mode")),
        "compares text with a number",
    ),
    "text in order": (
        lambda d: first_condition(d).update(LeftValue=get("Parameters.Mode"), RightValue="m"),
        "orders numbers, not text",
    ),
    "no conditions": (lambda d: arguments(d, 3).update(Conditions=[]), "a list of 1 to 200 conditions"),
    "cache for no duration": (lambda d: step(d, 0)["CacheConfig"].update(ExpireAfter="7 days"), "'7 days' is not"),
    "retry of an unknown failure": (
        lambda d: step(d, 1)["RetryPolicies"][0].update(ExceptionType=["SageMaker.BUG"]),
        "'SageMaker.BUG' is not one of",
    ),
    "retry without end": (lambda d: step(d, 1)["RetryPolicies"][0].pop("MaxAttempts"), "exactly one of MaxAttempts"),
    "retry too often": (lambda d: step(d, 1)["RetryPolicies"][0].update(MaxAttempts=21), "from 1 to 20"),
    "function without an address": (lambda d: branch(d)[1].pop("FunctionArn"), "FunctionArn: missing"),
    "failure without a message": (lambda d: arguments(d, 3)["ElseSteps"][0]["Arguments"].clear(), "ErrorMessage: miss"),
    "choice in a loop": (
        lambda d: d["Steps"].append(each([{**step(sound(), 3), "Name": "Inner"}])),
        "a Condition step cannot stand in it",
    ),
    "item outside a loop": (
        lambda d: arguments(d, 0).update(RoleArn=get("ForEach.CurrentItem")),
        "in the body of a ForEach only",
    ),
    "loop too wide": (lambda d: d["Steps"].append(each([], MaxConcurrency=51)), "from 1 to 50"),
}


def test_sound_definition_has_no_problems() -> None:
    """The control of everything below: what is found there is what was put there."""
    result = check(sound())
    assert result.problems == ()
    assert (result.requests, result.steps) == (4, 7)
    assert result.references > 10


@pytest.mark.parametrize("name", MISTAKES)
def test_seeded_mistake_is_named(name: str) -> None:
    mistake, told = MISTAKES[name]
    definition = sound()
    mistake(definition)
    problems = check(definition).problems
    assert any(told in problem for problem in problems), problems


def test_all_problems_are_told_at_once() -> None:
    """One at a time would cost a person one round each."""
    definition = sound()
    arguments(definition, 0).pop("RoleArn")
    arguments(definition, 1).pop("RoleArn")
    step(definition, 2)["Typ"] = "x"
    with pytest.raises(DocumentError, match="3 problems") as caught:
        check(definition).require("p.json")
    assert "Preprocess" in caught.value.what and "Train" in caught.value.what and "Typ" in caught.value.what


@pytest.mark.parametrize("definition", [None, [], {}, {"Steps": {}}, "Steps"])
def test_what_is_no_definition_is_a_problem_not_a_crash(definition: Json) -> None:
    assert check(definition).problems


def test_other_step_types_of_the_service_are_known() -> None:
    """Definitions of the SDK hold them; calling them unknown would be a false alarm."""
    definition = sound()
    body = read("item", get("ForEach.CurrentItem"))
    inner = {**step(sound(), 0), "Name": "Inner"}
    inner["Arguments"] = {**inner["Arguments"], "ProcessingInputs": [body]}
    definition["Steps"] += [
        each([inner]),
        {
            "Name": "Wait",
            "Type": "Callback",
            "SqsQueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q",
            "Arguments": {"done": get("Steps.Each.Status")},
            "OutputParameters": [{"OutputName": "answer", "OutputType": "Integer"}],
        },
        {
            "Name": "Sweep",
            "Type": "Cleanup",
            "Arguments": {"Resources": {"S3": [{"StepName": "Train"}]}},
            "DependsOn": [{"Step": "Train", "Trigger": "Any"}],
        },
        {
            "Name": "Spark",
            "Type": "EMR",
            "Arguments": {"ClusterId": "j-1", "StepConfig": {"HadoopJarStep": {"Jar": "s3://b/x.jar"}}},
        },
    ]
    notebook = {**copy.deepcopy(definition["Steps"][1]), "Name": "Notebook"}
    notebook["DependsOn"] = ["Spark"]
    notebook["Arguments"]["HyperParameters"]["state"] = get("Steps.Spark.Status.State")
    told: Json = {
        "Name": "Told",
        "Type": "Fail",
        "Arguments": {"ErrorMessage": get("Steps.Notebook.OutputNotebookName")},
    }
    definition["Steps"] += [notebook, told]
    assert check(definition).problems == ()
    notebook["Arguments"]["HyperParameters"]["state"] = get("Steps.Spark.Status.Stat")
    told["Arguments"]["ErrorMessage"] = get("Steps.Each.IterationOutputs[0].Outer.RoleArn")
    problems = check(definition).problems
    assert len(problems) == 2
    assert "no property 'Status.Stat'" in problems[0] and "the steps of its body: Inner" in problems[1]
