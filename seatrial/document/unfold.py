"""Walks a document as an executor would, without running it, and settles every task in a job.

A graph stays whole where one job can run it, and is opened otherwise: a nested pipeline is inlined, a loop over listed
items unrolled, a condition becomes a choice between jobs. What only the run knows how to repeat (a loop over a value)
or to survive (an exit handler) stays in one job or is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from seatrial.document import expression, values
from seatrial.document.drafts import Drafts, Fork, Member, Scope, cannot
from seatrial.document.flow import (
    MemberOutput,
    Several,
    Status,
    Symbol,
    cast,
    picked,
    sources,
    template,
    uncast,
)
from seatrial.document.jobs import PipelineParameter
from seatrial.document.model import (
    Component,
    Constant,
    Document,
    FromInput,
    FromTask,
    Graph,
    Importer,
    ParameterType,
    Task,
)
from seatrial.document.needs import Census, in_order
from seatrial.errors import DocumentError

Json = Any
Typed = tuple[Symbol, ParameterType | None]


@dataclass
class Given:
    """What a graph is given, or what a task gave."""

    parameters: dict[str, Typed] = field(default_factory=dict)
    artifacts: dict[str, Symbol] = field(default_factory=dict)
    members: frozenset[str] = frozenset()
    """Everything that must have ended."""
    maybe: bool = False
    """It may be skipped at run time."""
    skipped: bool = False
    """It is never run."""


class Unfolder:
    """Settles the tasks of one document.

    Args:
        document: what to divide.
        drafts: receives jobs and choices.
        census: knows what tasks need.
        fuse: whether tasks share jobs where nothing forces them to.
    """

    def __init__(self, document: Document, drafts: Drafts, census: Census, *, fuse: bool) -> None:
        self._document = document
        self._drafts = drafts
        self._census = census
        self._fuse = fuse

    def run(self) -> Given:
        """Settle everything; gives the pipeline's outputs."""
        root = self._document.root
        given = Given({n: (PipelineParameter(n), p.type) for n, p in root.input_parameters.items()})
        needed = [name for name, slot in root.input_artifacts.items() if not slot.optional]
        if needed:
            raise DocumentError(
                f"pipeline '{self._document.name}' takes artifacts: {', '.join(needed)}",
                why="A pipeline is started with parameters only.",
                todo="Import them with dsl.importer, or call this pipeline from another.",
            )
        return self._graph(root, self._document.source["root"], given, "", ())

    def _graph(self, owner: Component, source: Json, given: Given, prefix: str, scope: Scope) -> Given:
        graph = owner.implementation
        assert isinstance(graph, Graph)
        walk = _Walk(graph, source["dag"]["tasks"], given, prefix, scope, chain=_only_branches(graph))
        for block in _blocks(graph):
            if len(block) > 1:
                self._welded(walk, block)
            else:
                self._task(walk, block[0])
        return self._outputs(walk)

    # one task

    def _task(self, walk: _Walk, task: Task) -> None:
        path = f"{walk.prefix}{task.name}"
        if any(walk.ends[name].skipped for name in task.after) and not task.always:
            walk.ends[task.name] = Given(skipped=True)
            return
        if task.always and task.after:
            raise AssertionError("a task that outlives others is part of a block")
        tied = frozenset().union(*(walk.ends[n].members for n in task.after if walk.ends[n].maybe))
        member = self._member(walk, task, path)
        component = self._document.components[task.component]
        if self._floats(component, task, member):
            self._drafts.add(replace(member, floating=True))
            walk.ends[task.name] = self._ends(member, component)
            return
        if tied:
            self._drafts.add(member)
            if self._cannot_stay(member) is not None or not self._drafts.join([member], walk.scope, tied=tied):
                raise cannot(
                    f"task '{path}'", "what it waits for may be skipped in another", "Put it into the same If."
                )
            walk.ends[task.name] = self._ends(member, component)
        elif not self._whole(walk, task, member, component):
            self._open(walk, task, member, component)

    def _whole(self, walk: _Walk, task: Task, member: Member, component: Component) -> bool:
        """Settle the task as it is, if that is possible and better than opening it."""
        must = self._unknown_items(task, member)
        plain = not isinstance(component.implementation, Graph) and task.loop is None and task.condition is None
        fragile = self._fragile(component, looped=task.loop is not None)
        obstacle = None if plain else self._cannot_stay(member, ends=not must)
        if must and obstacle is not None:
            raise cannot(
                f"the loop '{member.name}'",
                obstacle,
                "Run all of its tasks on one image that holds Seatrial (--image), or loop over a list that is written"
                " in the pipeline.",
            )
        wants = must or plain or (fragile and task.condition is None) or self._fuse
        branch = walk.chain and task.condition is not None and not must  # all of an If, Elif and Else, or none
        if obstacle is not None or not wants or branch:
            return False
        if self._fuse and not (must or plain or fragile) and self._spread_out(member):
            return False
        self._drafts.add(member)
        if not (self._fuse and self._drafts.join([member], walk.scope)):
            if task.condition is not None and not must:
                return False  # a choice costs nothing; a job that only finds out that it is not needed costs a start
            self._drafts.start([member], walk.scope, self._image(member))
        walk.ends[task.name] = self._ends(member, component)
        return True

    def _image(self, member: Member) -> str:
        found = sorted(member.needs.images) or sorted(self._census.root().images)
        if not found:
            raise DocumentError(
                f"pipeline '{self._document.name}' has no container task",
                why="There is nothing that a job could run.",
                todo="Add a component, or run the document with `seatrial run`.",
            )
        return found[0]

    def _cannot_stay(self, member: Member, *, ends: bool = True) -> str | None:
        return member.needs.obstacle(self._drafts.is_own, hints=self._fuse and member.task.loop is None, ends=ends)

    def _spread_out(self, member: Member) -> bool:
        """Whether heavy tasks in it could run side by side on machines of their own, and nobody asked otherwise."""
        heavy = [leaf for leaf in member.needs.leaves if leaf.heavy and not leaf.hint]
        return len(heavy) + sum(leaf.repeated for leaf in heavy) > 1

    def _floats(self, component: Component, task: Task, member: Member) -> bool:
        known = all(isinstance(s, PipelineParameter) for symbol in member.parameters.values() for s in sources(symbol))
        simple = task.loop is None and task.condition is None and not task.after
        return isinstance(component.implementation, Importer) and known and simple

    def _welded(self, walk: _Walk, block: list[Task]) -> None:
        """Tasks of which some run however the others end: only one job can know how they ended."""
        members = []
        for task in block:
            member = self._member(walk, task, f"{walk.prefix}{task.name}")
            self._drafts.add(member)
            members.append(member)
            walk.ends[task.name] = self._ends(member, self._document.components[task.component])
        leaves = tuple(leaf for member in members for leaf in member.needs.leaves)
        together = replace(members[0].needs, leaves=leaves)
        obstacle = together.obstacle(self._drafts.is_own, hints=False, ends=False)
        if obstacle is not None:
            last = block[-1].display_name
            raise cannot(
                f"'{last}' runs however the tasks before it end, so it",
                obstacle,
                "Run all of them on one image that holds Seatrial (--image), or remove the exit handler.",
            )
        if not (self._fuse and self._drafts.join(members, walk.scope)):
            image = next((leaf.image for leaf in leaves), None) or self._image(members[0])
            self._drafts.start(members, walk.scope, image)

    # opening

    def _open(self, walk: _Walk, task: Task, member: Member, component: Component) -> None:
        if task.loop is not None:
            walk.ends[task.name] = self._unrolled(walk, task, member, component)
            return
        scope: Scope | None = walk.scope
        if task.condition is not None:
            scope = self._branch(walk, task, member)
        if scope is None:
            walk.ends[task.name] = Given(skipped=True)
            return
        ended = self._inside(task, member, component, member.name, scope)
        walk.ends[task.name] = replace(ended, maybe=scope != walk.scope)

    def _inside(self, task: Task, member: Member, component: Component, path: str, scope: Scope) -> Given:
        """The component of an opened task, its own loop and condition gone."""
        if isinstance(component.implementation, Graph):
            given = self._bound(member, component)
            source = self._document.source["components"][task.component]
            return self._graph(component, source, given, f"{path}.", scope)
        dropped = {"triggerPolicy", "parameterIterator", "artifactIterator", "iteratorPolicy"}
        bare = replace(
            member,
            name=path,
            task=replace(task, condition=None, loop=None),
            source={k: v for k, v in member.source.items() if k not in dropped},
            needs=replace(member.needs, leaves=tuple(replace(leaf, repeated=False) for leaf in member.needs.leaves)),
        )
        self._drafts.add(bare)
        if not (self._fuse and self._drafts.join([bare], scope)):
            self._drafts.start([bare], scope, self._image(bare))
        return self._ends(bare, component)

    def _unrolled(self, walk: _Walk, task: Task, member: Member, component: Component) -> Given:
        assert task.loop is not None
        if self._fragile(component, looped=True):
            raise cannot(
                f"the loop '{member.name}'",
                f"it collects outputs of branches or of another loop, while {self._cannot_stay(member)}",
                "Run all of its tasks on one image that holds Seatrial (--image), or collect outside of the condition.",
            )
        results: list[Given] = []
        for index, item in enumerate(self._known_items(task, member)):
            earlier = results[index - task.loop.limit].members if 0 < task.loop.limit <= index else frozenset()
            one = replace(
                member,
                parameters={**member.parameters, task.loop.item: Constant(item)},
                after=member.after | earlier,
            )
            results.append(self._inside(task, one, component, f"{member.name}[{index}]", walk.scope))
        ended = Given(members=frozenset().union(*(r.members for r in results)) | member.after)
        for name in component.output_parameters:
            parts = tuple(r.parameters[name][0] for r in results if name in r.parameters)
            ended.parameters[name] = (Several(parts, first=False), "LIST")
        for name in component.output_artifacts:
            ended.artifacts[name] = Several(
                tuple(r.artifacts[name] for r in results if name in r.artifacts), first=False
            )
        return ended

    def _branch(self, walk: _Walk, task: Task, member: Member) -> Scope | None:
        """The scope in which an opened conditional task runs; ``None``: never."""
        assert task.condition is not None
        operands: dict[str, tuple[Symbol, ParameterType]] = {}
        condition = self._condition(expression.parse(task.condition), task, member, operands)
        parts = (
            condition.parts if isinstance(condition, expression.Both) and condition.operator == "&&" else (condition,)
        )
        scope = walk.scope
        while parts and walk.chain and (scope, parts[0]) in walk.forks:
            scope = (*scope, (walk.forks[scope, parts[0]], False))
            parts = parts[1:]
        if not parts:
            return scope
        condition = parts[0] if len(parts) == 1 else expression.Both("&&", parts)
        wanted = expression.references(condition)
        if not wanted:
            return scope if expression.evaluate(condition, {}) else None
        used = {name: operands[name] for name in sorted(wanted)}
        producers = {s.member for symbol, _ in used.values() for s in sources(symbol) if isinstance(s, MemberOutput)}
        before = self._drafts.jobs_of(producers | member.after, walk.scope)
        fork = Fork(self._drafts.number(), scope, task.name, condition, used, before)
        self._drafts.forks[fork.index] = fork
        walk.forks[scope, expression.Not(condition)] = fork.index
        return (*scope, (fork.index, True))

    def _condition(
        self,
        node: expression.Expression,
        task: Task,
        member: Member,
        operands: dict[str, tuple[Symbol, ParameterType]],
    ) -> expression.Expression:
        """The condition over names that mean the same everywhere, constants filled in."""
        if isinstance(node, expression.Reference):
            specs = self._document.components[task.component].input_parameters
            kind: ParameterType = specs[node.name].type if node.name in specs else "STRING"
            symbol = member.parameters.get(node.name)
            if symbol is None:
                spec = specs.get(node.name)
                symbol = Constant(spec.default) if spec is not None and spec.has_default else Constant(None)
            if isinstance(symbol, Constant):
                return expression.Literal(None if symbol.value is None else values.cast(symbol.value, kind))
            symbol = uncast(symbol, kind, f"the condition of '{member.name}'")
            name = _spelled(symbol, member.name)
            if name in operands and operands[name][1] != kind:
                name = f"{name} as {kind}"
            operands[name] = (symbol, kind)
            return expression.Reference(name)
        if isinstance(node, expression.Cast):
            return replace(node, inner=self._condition(node.inner, task, member, operands))
        if isinstance(node, expression.Not):
            return replace(node, inner=self._condition(node.inner, task, member, operands))
        if isinstance(node, expression.Compare):
            left = self._condition(node.left, task, member, operands)
            return replace(node, left=left, right=self._condition(node.right, task, member, operands))
        if isinstance(node, expression.Both):
            return replace(node, parts=tuple(self._condition(part, task, member, operands) for part in node.parts))
        return node

    # values

    def _member(self, walk: _Walk, task: Task, path: str) -> Member:
        parameters: dict[str, Typed] = {}
        later: dict[str, Json] = {}
        for name, source in task.parameters.items():
            origin = source.origin
            if isinstance(origin, Constant):
                later[name] = origin.value
                continue
            if isinstance(origin, FromInput):
                found = walk.given.parameters.get(origin.name)
            elif isinstance(origin, FromTask):
                found = walk.ends[origin.task].parameters.get(origin.key)
            else:
                found = (Status(f"{walk.prefix}{origin.task}"), "TASK_FINAL_STATUS")
            if found is not None and source.path is not None:
                try:
                    found = (picked(found[0], source.path), None)
                except ValueError as exc:
                    raise _value_error(path, name, exc) from exc
            if found is not None and found[0] != Constant(None):
                parameters[name] = found
        lookup = {n: s for n, (s, _) in {**walk.given.parameters, **parameters}.items()}
        for name, constant in later.items():
            parameters[name] = (template(constant, lookup), None)
        artifacts: dict[str, Symbol] = {}
        for name, artifact in task.artifacts.items():
            if isinstance(artifact, FromInput):
                symbol = walk.given.artifacts.get(artifact.name)
            else:
                symbol = walk.ends[artifact.task].artifacts.get(artifact.key)
            if symbol is not None:
                artifacts[name] = symbol
        typed = self._typed(task, parameters, path)
        after = walk.given.members.union(*(walk.ends[n].members for n in task.after))
        needs = self._census.of(task)
        return Member(path, task, walk.source[task.name], typed, artifacts, after, needs)

    def _typed(self, task: Task, parameters: Mapping[str, Typed], path: str) -> dict[str, Symbol]:
        """Symbols as the task's component declares them."""
        specs = self._document.components[task.component].input_parameters
        found: dict[str, Symbol] = {}
        for name, (symbol, known) in parameters.items():
            item = task.loop is not None and task.loop.item == name
            if name not in specs or item:
                found[name] = symbol
                continue
            try:
                found[name] = cast(symbol, specs[name].type, known)
            except ValueError as exc:
                raise _value_error(path, name, exc) from exc
        return found

    def _bound(self, member: Member, component: Component) -> Given:
        """What the graph of an opened task is given."""
        given = Given(members=member.after)
        for name, spec in component.input_parameters.items():
            symbol = member.parameters.get(name)
            if symbol is None and spec.has_default and spec.default is not None:
                symbol = Constant(spec.default)
            if symbol is None:
                continue
            if isinstance(symbol, Constant):
                try:
                    symbol = Constant(values.cast(symbol.value, spec.type))
                except ValueError as exc:
                    raise _value_error(member.name, name, exc) from exc
            given.parameters[name] = (symbol, spec.type)
        given.artifacts = {n: s for n, s in member.artifacts.items() if n in component.input_artifacts}
        return given

    def _ends(self, member: Member, component: Component) -> Given:
        """What a task that stays whole gives."""
        looped = member.task.loop is not None
        return Given(
            {
                n: (MemberOutput(member.name, n), "LIST" if looped else p.type)
                for n, p in component.output_parameters.items()
            },
            {n: MemberOutput(member.name, n) for n in component.output_artifacts},
            frozenset({member.name}),
            maybe=member.task.condition is not None,
        )

    def _outputs(self, walk: _Walk) -> Given:
        graph = walk.graph
        ended = Given(members=frozenset().union(*(end.members for end in walk.ends.values())) | walk.given.members)
        for name, several in graph.parameters.items():
            kinds = [walk.ends[s.task].parameters[s.key][1] for s in several if s.key in walk.ends[s.task].parameters]
            symbol = _first([(walk.ends[s.task].parameters.get(s.key, (None,))[0], walk.ends[s.task]) for s in several])
            if symbol is not None:
                ended.parameters[name] = (symbol, kinds[0] if len(set(kinds)) == 1 else None)
        for name, several in graph.artifacts.items():
            symbol = _first([(walk.ends[s.task].artifacts.get(s.key), walk.ends[s.task]) for s in several])
            if symbol is not None:
                ended.artifacts[name] = symbol
        return ended

    # loops and branches

    def _unknown_items(self, task: Task, member: Member) -> bool:
        """Whether only the run knows what a task loops over."""
        loop = task.loop
        if loop is None or loop.raw is not None:
            return False
        return loop.artifacts or not isinstance(member.parameters.get(loop.source or "", Constant([])), Constant)

    def _known_items(self, task: Task, member: Member) -> list[Json]:
        assert task.loop is not None
        if task.loop.raw is not None:
            return [values.without_float_integers(item) for item in task.loop.raw]
        found = member.parameters.get(task.loop.source or "", Constant([]))
        assert isinstance(found, Constant)
        try:
            return list(values.cast(found.value, "LIST"))
        except ValueError as exc:
            raise _value_error(member.name, task.loop.source or "", exc) from exc

    def _fragile(self, component: Component, *, looped: bool) -> bool:
        """Whether an output of the graph may not exist, comes from one of several branches, or is a list of lists."""
        graph = component.implementation
        if not isinstance(graph, Graph):
            return False
        lists = {s.task for several in graph.parameters.values() for s in several}
        producers = lists.union(*({s.task for s in several} for several in graph.artifacts.values()))
        for task in (graph.tasks[name] for name in producers):
            nested = looped and task.loop is not None and task.name in lists
            inner = self._document.components[task.component]
            if task.condition is not None or nested or self._fragile(inner, looped=looped):
                return True
        return False


@dataclass
class _Walk:
    """One opened graph."""

    graph: Graph
    source: Mapping[str, Json]
    given: Given
    prefix: str
    scope: Scope
    chain: bool
    """Its tasks are the branches of one If, Elif and Else."""
    ends: dict[str, Given] = field(default_factory=dict)
    forks: dict[tuple[Scope, expression.Expression], int] = field(default_factory=dict)
    """By place and negated condition: what an Elif or Else of the same chain starts with."""


def _blocks(graph: Graph) -> Iterator[list[Task]]:
    """Tasks in order, those together that one of them must outlive."""
    above: dict[str, set[str]] = {}
    ordered = in_order(graph)
    block: dict[str, set[str]] = {}
    for task in ordered:
        above[task.name] = set(task.after).union(*(above[name] for name in task.after))
        if task.always and task.after:
            together = {task.name} | above[task.name]
            for name in list(together):
                together |= block.get(name, set())
            for name in together:
                block[name] = together
    seen: set[str] = set()
    for task in ordered:
        if task.name not in seen:
            together = block.get(task.name, {task.name})
            seen |= together
            yield [t for t in ordered if t.name in together]


def _only_branches(graph: Graph) -> bool:
    return all(task.condition is not None and not task.after for task in graph.tasks.values())


def _first(found: list[tuple[Symbol | None, Given]]) -> Symbol | None:
    """Of several outputs, the first that exists."""
    parts: list[Symbol] = []
    for symbol, ended in found:
        if symbol is None or ended.skipped:
            continue
        parts += symbol.parts if isinstance(symbol, Several) and symbol.first else (symbol,)
        if not ended.maybe:
            break
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else Several(tuple(parts), first=True)


def _spelled(symbol: Symbol, where: str) -> str:
    """A name for an operand: the same for the same value, readable, and stable."""
    if isinstance(symbol, PipelineParameter):
        return symbol.name
    if isinstance(symbol, MemberOutput):
        return f"{symbol.member}.{symbol.key.removeprefix('pipelinechannel--')}"
    base = getattr(symbol, "base", None)
    if base is not None and hasattr(symbol, "path"):
        return _spelled(base, where) + "".join(f"[{json.dumps(part)}]" for part in symbol.path)
    raise DocumentError(
        f"the condition '{where}' reads a value that is put together from several",
        why="Between jobs, a condition can read a parameter of the pipeline or an output of one job.",
        todo="Let one task return that value.",
    )


def _value_error(path: str, name: str, exc: ValueError) -> DocumentError:
    return DocumentError(
        f"task '{path}': input '{name}': {exc}",
        why="The value is written in the document, and the task would fail on it.",
        todo="Correct the value in the pipeline.",
    )
