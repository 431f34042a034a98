"""A registered version, which somebody approved, behind the model's endpoint."""

from kfp import dsl

from components.deploy import deploy
from components.verify import verify


@dsl.pipeline(name="release")  # type: ignore[untyped-decorator]  # kfp has no types
def release(model: str, version: int) -> None:
    """Deploy and verify a version against the champion that its evidence compared it with."""
    served = deploy.task(model=model, version=version)
    verify.task(model=model, version=served.outputs["version"])
