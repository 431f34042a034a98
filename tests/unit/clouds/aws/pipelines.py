"""Small pipelines, one construct each, on components that hold Seatrial."""

from __future__ import annotations

COMPONENTS = """
from __future__ import annotations
from dataclasses import dataclass
from typing import Optional
from seatrial.component import Artifact, Dataset, Input, Model, Output, Resources, TrainingOptions, component

@dataclass(frozen=True)
class Score:
    score: float
    names: list[str]
    decision: str
    good: bool

@dataclass(frozen=True)
class Price:
    amount: float
    currency: str

@dataclass(frozen=True)
class Version:
    version: int

@component()
def ask(n: int, rate: float = 0.5, mode: str = "full", table: Optional[dict[str, int]] = None) -> Score:
    return Score(rate, ["a", "b"], mode, True)

@component()
def make(text: str, data: Output[Dataset]) -> None:
    data.path.write_text(text)

@component()
def use(data: Input[Dataset]) -> None:
    pass

@component()
def use_all(data: Input[list[Dataset]]) -> None:
    pass

@component(cache=False)
def tell(text: str) -> None:
    pass

@component(resources=Resources(cpu=8, memory_gb=24), training=TrainingOptions(spot=True, max_run_s=7200))
def fit(epochs: int, data: Input[Dataset], model: Output[Model]) -> Score:
    return Score(0.5, [], "", True)

@component(training=TrainingOptions(keep_alive_s=1200))
def warm(data: Input[Dataset], model: Output[Model]) -> Score:
    return Score(0.5, [], "", True)

@component(registration=True)
def register(model: str, package: Input[Model]) -> Version:
    return Version(1)

@component(function="arn:aws:lambda:eu-west-1:123456789012:function:price")
def price(n: int, mode: str, rate: float = 0.5, dry: bool = False) -> Price:
    return Price(n * rate, mode)

@component(function="notify")
def notify(text: str) -> None:
    pass

@component()
def announce(version: int) -> None:
    pass
"""

HEAD = """
from typing import Dict, List, Optional
from kfp import dsl
from constructs import announce, ask, fit, make, notify, price, register, tell, use, use_all, warm
from seatrial.component import fail
"""

PIPELINES = {
    "nested_choices": '''
@dsl.pipeline(name="nested-choices")
def p(n: int = 3, mode: str = "full", dry: bool = False) -> None:
    """Else, a choice in a choice, not and or, on a task's result and on parameters."""
    asked = ask.task(n=n, mode=mode)
    with dsl.If(asked.outputs["score"] >= 0.5):
        with dsl.If(dry == False):
            tell.task(text="good")
        with dsl.Elif(mode == "full"):
            tell.task(text="dry")
        with dsl.Else():
            tell.task(text="neither")
    with dsl.Else():
        tell.task(text="bad")
''',
    "static_loop": '''
@dsl.pipeline(name="static-loop")
def p() -> None:
    """Each item has its own job, and one job reads from all."""
    with dsl.ParallelFor(["a", "b", "c"]) as item:
        made = make.task(text=item)
    use_all.task(data=dsl.Collected(made.outputs["data"]))
''',
    "dynamic_loop": '''
@dsl.pipeline(name="dynamic-loop")
def p(n: int) -> None:
    """Only the run knows the items: the loop runs inside one job."""
    asked = ask.task(n=n)
    with dsl.ParallelFor(asked.outputs["names"]) as item:
        made = make.task(text=item)
    use_all.task(data=dsl.Collected(made.outputs["data"]))
''',
    "training": '''
@dsl.pipeline(name="training")
def p(epochs: int = 5, text: str = "x") -> None:
    """A training job on spot capacity, whose score a choice reads."""
    made = make.task(text=text)
    fitted = fit.task(epochs=epochs, data=made.outputs["data"])
    with dsl.If(fitted.outputs["score"] > 0.7):
        use.task(data=made.outputs["data"])
''',
    "warm_pool": """
@dsl.pipeline(name="warm-pool")
def p(text: str = "x") -> None:
    warm.task(data=make.task(text=text).outputs["data"])
""",
    "registration": '''
@dsl.pipeline(name="registration")
def p(model: str, epochs: int = 5) -> None:
    """SageMaker registers, and a job is told the version."""
    fitted = fit.task(epochs=epochs, data=make.task(text="x").outputs["data"])
    registered = register.task(model=model, package=fitted.outputs["model"])
    announce.task(version=registered.outputs["version"])
''',
    "parameters": '''
@dsl.pipeline(name="parameters")
def p(n: int, rate: float = 0.5, mode: str = "full", table: Dict[str, int] = {"b": 2, "a": 1},
      extra: Optional[Dict[str, int]] = None) -> None:
    """Every type, with and without a default, and one that may be left out."""
    ask.task(n=n, rate=rate, mode=mode, table=table)
    ask.task(n=1, table=extra)
''',
    "ordered": '''
@dsl.pipeline(name="ordered")
def p() -> None:
    """Order without data."""
    tell.task(text="two").after(tell.task(text="one"))
''',
    "failure": '''
@dsl.pipeline(name="failure")
def p(n: int = 3, rate: float = 0.2) -> None:
    """A score that is too low ends the pipeline with words of its own, and no machine starts for that."""
    asked = ask.task(n=n, rate=rate)
    with dsl.If(asked.outputs["score"] < 0.5):
        fail.task(message=f"the score {asked.outputs['score']} of {n} is below 0.5")
    with dsl.Else():
        tell.task(text="good")
''',
    "failure_in_a_loop": '''
@dsl.pipeline(name="failure-in-a-loop")
def p(n: int = 3) -> None:
    """Only the run knows the items, so the job that runs the loop ends itself."""
    asked = ask.task(n=n)
    with dsl.ParallelFor(asked.outputs["names"]) as item:
        fail.task(message=item)
''',
    "function": '''
@dsl.pipeline(name="function")
def p(n: int = 3, mode: str = "full") -> None:
    """A function is handed a task's result and parameters; a choice and a job read what it answers."""
    asked = ask.task(n=n, mode=mode)
    priced = price.task(n=n, mode=asked.outputs["decision"])
    with dsl.If(priced.outputs["amount"] > 1.0):
        tell.task(text=priced.outputs["currency"])
''',
    "exit_handler": """
@dsl.pipeline(name="exit-handler")
def p() -> None:
    last = tell.task(text="the end")
    with dsl.ExitHandler(last):
        make.task(text="x")
""",
    "one_of": """
@dsl.pipeline(name="one-of")
def p(dry: bool = False) -> None:
    with dsl.If(dry == True):
        first = make.task(text="a")
    with dsl.Else():
        second = make.task(text="b")
    use.task(data=dsl.OneOf(first.outputs["data"], second.outputs["data"]))
""",
}
