"""A registered version, which somebody approved, behind the model's endpoint."""

from kfp import dsl

from components.deploy import deploy
from components.verify import verify


@dsl.pipeline(name="release")  # type: ignore[untyped-decorator]  # kfp has no types
def release(model: str, version: int, again: bool = False) -> None:
    """Deploy and verify a version against the champion that its evidence compared it with.

    A version that was rolled back is released only ``again``: when what was wrong with it has been mended.
    """
    served = deploy.task(model=model, version=version, again=again)
    verify.task(model=model, version=served.outputs["version"])
