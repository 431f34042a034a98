"""Small pipelines of our own, one for each construct that runners get wrong; compiled by kfp when they are tested.

The same constructs as in the hardest documents of KFP's suite, which is not part of this repository.
"""

# ruff: noqa: PTH123, RUF013, SIM115, SIM117, UP014
# mypy: disable-error-code="assignment, call-arg, no-any-return, valid-type"
# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators, allow-incomplete-defs, allow-any-generics
# kfp's decorators turn functions into other things, and its components import what they use inside

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Output


@dsl.component
def show(text: str) -> str:
    print(f"shown: {text}")
    return text


@dsl.component
def show_int(x: int) -> int:
    return x


@dsl.component
def give_text(text: str) -> str:
    return text


@dsl.component
def give_items() -> list:
    return [{"who": "a", "parts": ["1", "2"], "n": 1}, {"who": "b", "parts": ["3"], "n": 2}]


@dsl.component
def double(num: int) -> int:
    assert type(num) is int
    return 2 * num


@dsl.component
def add(nums: list) -> int:
    assert all(type(n) is int for n in nums), nums
    return sum(nums)


@dsl.component
def add_nested(nums: list) -> int:
    assert all(type(n) is int for part in nums for n in part), nums
    return sum(n for part in nums for n in part)


@dsl.component
def write(text: str, data: Output[Dataset]):
    with open(data.path, "w") as f:
        f.write(text)
    data.metadata["length"] = len(text)


@dsl.component
def write_both(first: str, second: str, data: Output[Dataset]):
    with open(data.path, "w") as f:
        f.write(first + second)


@dsl.component
def join(parts: Input[list[Dataset]], whole: Output[Dataset]):
    text = "+".join(open(part.path).read() for part in parts)
    with open(whole.path, "w") as f:
        f.write(text)


@dsl.component
def read(data: Input[Dataset]) -> str:
    return open(data.path).read()


@dsl.component
def fail(text: str) -> str:
    raise RuntimeError(text)


@dsl.component
def tell(status: dsl.PipelineTaskFinalStatus) -> str:
    return f"{status.state} {status.pipeline_task_name} {bool(status.error_message)}"


@dsl.pipeline
def item_parts():
    """Loops in loops over parts of items, with conditions on parts."""
    items = give_items()
    with dsl.ParallelFor(items.output) as item:
        show(text=item.who)
        show_int(x=item.n)
        with dsl.If(item.who == "a"):
            show(text="only a")
        with dsl.ParallelFor(item.parts) as part:
            show(text=part)
            with dsl.ParallelFor([{"k": "x"}, {"k": "y"}]) as inner:
                show(text=inner.k)


@dsl.pipeline
def outer_values(texts: list, prefix: str = "p"):
    """Inside a loop, a parameter of the pipeline and an outer task's output beside the item."""
    made = give_text(text="made")
    with dsl.ParallelFor(texts, parallelism=1) as item:
        show(text=f"{prefix}-{item}")
        show(text=f"{made.output}-{item}")


@dsl.pipeline
def integers() -> int:
    """Integers stay integers through loops, lists and lists of lists."""
    with dsl.ParallelFor([1, 2, 3]) as a:
        one = double(num=a)
        with dsl.ParallelFor([4, 5]) as b:
            two = double(num=b)
    add(nums=dsl.Collected(one.output))
    return add_nested(nums=dsl.Collected(two.output)).output


@dsl.pipeline
def untaken(threshold: int = 2):
    """What was collected leaves out branches that were not taken."""
    with dsl.ParallelFor([1, 2, 3]) as x:
        with dsl.If(x >= threshold):
            doubled = double(num=x)
    add(nums=dsl.Collected(doubled.output))


@dsl.pipeline
def artifact_lists() -> list[Dataset]:
    """Artifacts that nested loops collect are one flat list; parameters nest."""
    with dsl.ParallelFor(["a", "b"]) as x:
        with dsl.ParallelFor(["1", "2"]) as y:
            part = write_both(first=x, second=y)
    join(parts=dsl.Collected(part.outputs["data"]))
    return dsl.Collected(part.outputs["data"])


@dsl.pipeline
def two_items_in_a_text():
    """kfp 2.17 compiles this to a document that names an input which does not exist."""
    with dsl.ParallelFor(["a", "b"]) as x:
        with dsl.ParallelFor(["1", "2"]) as y:
            show(text=f"{x}{y}")


@dsl.pipeline
def make_parts() -> list[Dataset]:
    with dsl.ParallelFor(["a", "b"]) as x:
        part = write(text=x)
    return dsl.Collected(part.outputs["data"])


@dsl.pipeline
def loop_over_artifacts():
    """A loop whose items are artifacts."""
    parts = make_parts()
    with dsl.ParallelFor(parts.output) as part:
        read(data=part)


@dsl.pipeline
def choose(side: str = "heads") -> NamedTuple("Outputs", [("text", str), ("data", Dataset)]):
    """One of several branches gives a parameter and an artifact."""
    given = give_text(text=side)
    with dsl.If(given.output == "heads"):
        a = show(text="is heads")
        a_data = write(text="heads data")
    with dsl.Elif(given.output == "tails"):
        b = show(text="is tails")
        b_data = write(text="tails data")
    with dsl.Else():
        c = show(text="is neither")
        c_data = write(text="no data")
    text = dsl.OneOf(a.output, b.output, c.output)
    data = dsl.OneOf(a_data.outputs["data"], b_data.outputs["data"], c_data.outputs["data"])
    read(data=data)
    Outputs = NamedTuple("Outputs", [("text", str), ("data", Dataset)])
    return Outputs(text, data)


@dsl.component
def show_default(text: str = "default") -> str:
    return text


@dsl.pipeline
def goes_on():
    """A task that ignores what failed before it runs with its own default."""
    failed = fail(text="on purpose")
    show_default(text=failed.output).ignore_upstream_failure()
    show(text=failed.output)


@dsl.pipeline
def inner_failure():
    fail(text="deep inside")


@dsl.pipeline
def exit_handler():
    """The exit task hears how the block ended, also when a nested task failed."""
    with dsl.ExitHandler(tell()):
        show(text="in the block")
        with dsl.ParallelFor(["x"]) as _:
            inner_failure()


@dsl.pipeline
def good_exit():
    """The exit task hears of success."""
    with dsl.ExitHandler(tell()):
        show(text="in the block")


@dsl.pipeline
def machine_fields():
    """What a task asks for comes from another task, which nothing else names."""
    task = show(text="x")
    task.set_cpu_limit(give_text(text="1000m").output)
    task.set_memory_limit("2G")
    task.set_env_variable("A", "b")


@dsl.component
def write_elsewhere(data: Output[Dataset], linked: Output[Dataset]):
    import tempfile

    folder = tempfile.mkdtemp()
    data.set_path(f"{folder}/custom")
    with open(data.path, "w") as f:
        f.write("from elsewhere")
    linked.uri = f"{data.uri}-other"
    with open(linked.path, "w") as f:
        f.write("under another name")


@dsl.pipeline
def custom_paths():
    """Artifacts that a component writes to another path, or gives another name."""
    made = write_elsewhere()
    read(data=made.outputs["data"])
    read(data=made.outputs["linked"])


@dsl.component
def returns(n: int, metrics: Output[Metrics]) -> NamedTuple(
    "Outputs", [("data", Dataset), ("names", list), ("n", int)]
):
    from collections import namedtuple

    data = Dataset(uri=dsl.get_uri("made"), metadata={"rows": n})
    with open(data.path, "w") as f:
        f.write("x" * n)
    metrics.log_metric("accuracy", 0.5)
    return namedtuple("Outputs", ["data", "names", "n"])(data, ["a", "b"], n)


@dsl.pipeline
def returned_artifacts():
    """Artifacts that are returned, and artifacts that are metadata only."""
    made = returns(n=3)
    read(data=made.outputs["data"])
    show_int(x=made.outputs["n"])


@dsl.component
def optional(text: str = None, n: int = None, data: Input[Artifact] = None) -> str:
    return f"{text} {n} {data is None}"


@dsl.pipeline
def inner_optional(text: str = None, n: int = None):
    optional(text=text, n=n)


@dsl.pipeline
def nothing_given():
    """Optional inputs without a value stay without, through nested pipelines."""
    inner_optional()
    inner_optional(text="t", n=0)


@dsl.component
def facts(job: str, resource: str, job_id: str, task: str, task_id: str) -> str:
    assert all((job, resource, job_id, task, task_id))
    return task


@dsl.pipeline(name="pipeline-facts")
def run_facts():
    """The run's own placeholders."""
    facts(
        job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        resource=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        task=dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
        task_id=dsl.PIPELINE_TASK_ID_PLACEHOLDER,
    )


@dsl.component
def uri_of(data: Input[Dataset]) -> str:
    return data.uri


@dsl.component
def write_file(folder: str) -> str:
    with open(f"{folder}/note.txt", "w") as f:
        f.write("kept for the run")
    return f"{folder}/note.txt"


@dsl.component
def read_file(path: str) -> str:
    return open(path).read()


@dsl.pipeline(pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="1Gi")))
def workspace():
    """A folder of the run, and an importer that copies into it."""
    read_file(path=write_file(folder=dsl.WORKSPACE_PATH_PLACEHOLDER).output)
    uri = uri_of(data=write(text="to import").outputs["data"])
    imported = dsl.importer(
        artifact_uri=uri.output,
        artifact_class=Dataset,
        metadata={"from": uri.output, "n": 1},
        download_to_workspace=True,
    )
    read(data=imported.output)


@dsl.pipeline
def lone_condition(text: str = "yes"):
    """A lone condition at the root, on an output."""
    with dsl.If(give_text(text=text).output == "yes"):
        show(text="ran")


@dsl.pipeline
def numbers_in_text(n: int = 2):
    """A number inside text is written without a point."""
    given = show_int(x=n)
    with dsl.If(given.output <= 5):
        show(text=f"{given.output} <= 5!")


@dsl.component
def flaky(counter: str) -> str:
    import os

    tries = len(os.listdir(counter)) + 1
    open(f"{counter}/{tries}", "w").close()
    if tries < 3:
        raise RuntimeError(f"try {tries}")
    return f"try {tries}"


@dsl.pipeline
def retried(counter: str):
    """A task that fails is tried again, as often as it says."""
    flaky(counter=counter).set_retry(num_retries=2, backoff_duration="0s")


@dsl.container_component
def words(one: str, out_file: dsl.OutputPath(str), two: str = None):
    return dsl.ContainerSpec(
        image="alpine",
        command=["sh", "-c", 'mkdir -p "$(dirname "$0")"; printf "%s|" "$@" > "$0"', out_file],
        args=[
            dsl.ConcatPlaceholder(["pre-", one, "-post"]),
            dsl.IfPresentPlaceholder(input_name="two", then=["--two", two], else_=["--none"]),
        ],
    )


@dsl.pipeline
def container_words():
    """Commands with optional and joined words; quotes and dollars are text."""
    words(one="it's $HOME")
    words(one="1", two="2")


@dsl.component
def after_one(text: str):
    print(text)


@dsl.pipeline
def loop_order():
    """What comes after a task of a loop waits for all of its rounds."""
    with dsl.ParallelFor([1, 2, 3]):
        first = after_one(text="first")
    after_one(text="then").after(first)


def equal_to(constant: str):
    """A pipeline that compares its argument with a text of the source."""

    @dsl.pipeline
    def quoted(given: str):
        with dsl.If(given == constant):
            show(text="equal")
        with dsl.Else():
            show(text="different")

    return quoted
