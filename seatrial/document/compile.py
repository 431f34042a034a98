"""Compiles a Python file with one ``@dsl.pipeline`` to a pipeline document, with KFP's own compiler."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace

from seatrial.component import compiled_for
from seatrial.errors import DocumentError, MissingExtra


def compile_pipeline(path: Path, *, root: Path, image: str) -> str:
    """The YAML of the pipeline in a file.

    Args:
        path: a Python file that defines one pipeline.
        root: the project's folder; it is put on the module path while the file is imported.
        image: the container image that components name.

    Raises:
        DocumentError: the file is missing, cannot be imported, or defines no pipeline or several.
        MissingExtra: kfp is not installed.
    """
    if not path.is_file():
        raise DocumentError(
            f"{path} is not there", why="It should define the pipeline.", todo="Check the name, or add the file."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # kfp warns about its own future; the person cannot act on it
            from kfp import compiler
            from kfp.dsl import graph_component
    except ImportError as exc:
        if (exc.name or "").split(".")[0] != "kfp":
            raise
        raise MissingExtra("Compiling a pipeline", "kfp", "pipelines") from exc
    with _on_path(root), compiled_for(image), _caller_alone(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = f"_seatrial_pipeline_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path, loader=_Text(name, str(path)))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except ImportError as exc:
            raise DocumentError(
                f"{path} cannot be imported: {exc}",
                why="A pipeline is compiled by importing the file that defines it.",
                todo="Install what it imports, or correct the import.",
            ) from exc
        found = [v for v in vars(module).values() if isinstance(v, graph_component.GraphComponent)]
        if len(found) != 1:
            raise DocumentError(
                f"{path} defines {len(found)} pipelines",
                why="One file is one pipeline, so that its name says which one runs.",
                todo="Keep exactly one @dsl.pipeline in it.",
            )
        with tempfile.TemporaryDirectory(prefix="seatrial-compile-") as folder:
            out = Path(folder) / "pipeline.yaml"
            compiler.Compiler().compile(found[0], str(out))
            return out.read_text(encoding="utf-8")


class _Text(SourceFileLoader):
    """Compiles what the file says now: Python trusts code that it compiled within the same second and of equal size."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


@contextlib.contextmanager
def _on_path(root: Path) -> Iterator[None]:
    """Import from a project's folder, and leave no trace of it: another project's modules have the same names."""
    own = {path.stem for path in root.iterdir()} - {"seatrial"}

    def take() -> dict[str, ModuleType]:
        return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in own}

    aside = take()
    importlib.invalidate_caches()
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        take()
        sys.modules.update(aside)


@contextlib.contextmanager
def _caller_alone() -> Iterator[None]:
    """Give KFP the one name that it wants of the stack.

    It asks for all frames with their sources, in every setting of a task, to name the method in an error. Where many
    modules are loaded, as in a Pulumi program, that took 3 s of 5.
    """
    from kfp.dsl import pipeline_task

    def stack() -> list[tuple[object, ...]]:
        return [(), (None, None, None, sys._getframe(2).f_code.co_name)]

    whole = pipeline_task.inspect
    pipeline_task.inspect = SimpleNamespace(stack=stack)
    try:
        yield
    finally:
        pipeline_task.inspect = whole
