"""From source tables to a served, verified model, if the gate says so; or to a version that waits for a person."""

from kfp import dsl

from components.candidates import candidates
from components.deploy import deploy
from components.evaluate import evaluate
from components.gate import gate
from components.ingest import ingest
from components.profile import profile
from components.register import register
from components.split import split
from components.train import train as train_one
from components.validate import validate
from components.verify import verify


@dsl.pipeline(name="train")  # type: ignore[untyped-decorator]  # kfp has no types
def train(
    model: str,
    limit_rows: int = 0,
    train_until: str = "",
    seed: int = 0,
    only: list[str] = [],  # noqa: B006 kfp copies it
    release: bool = True,
) -> None:
    """Train every candidate, or ``only`` some, let the gate decide, and put a promoted model behind the endpoint.

    Without ``release`` the version is registered and waits for approval; ``pipelines/release.py`` does the rest.
    """
    raw = ingest.task(model=model, limit_rows=limit_rows)
    checked = validate.task(model=model, raw=raw.outputs["raw"])
    parts = split.task(model=model, raw=raw.outputs["raw"], train_until=train_until).after(checked)
    described = profile.task(model=model, train=parts.outputs["train"])
    listed = candidates.task(model=model, only=only)
    with dsl.ParallelFor(listed.outputs["names"]) as name:
        built = train_one.task(
            model=model,
            candidate=name,
            seed=seed,
            train=parts.outputs["train"],
            validation=parts.outputs["validation"],
            holdout=parts.outputs["holdout"],
            profile=described.outputs["profile"],
        )
    packages = dsl.Collected(built.outputs["package"])
    scored = evaluate.task(
        model=model, packages=packages, validation=parts.outputs["validation"], holdout=parts.outputs["holdout"]
    )
    verdict = gate.task(
        model=model,
        scores=scored.outputs["scores"],
        evaluation=scored.outputs["evaluation"],
        findings=checked.outputs["findings"],
    )
    with dsl.If(verdict.outputs["decision"] == "promote", name="promoted"):
        registered = register.task(
            model=model,
            package=scored.outputs["package"],
            decision_file=verdict.outputs["decision_file"],
        )
        with dsl.If(release == True, name="released"):  # noqa: E712 - kfp makes a condition of the comparison
            served = deploy.task(
                model=model,
                version=registered.outputs["version"],
                champion_version=verdict.outputs["champion_version"],
            )
            verify.task(model=model, version=served.outputs["version"])
