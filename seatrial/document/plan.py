"""Which tasks share which job: `plan` turns a document into jobs, without input or output.

Tasks share a job when they run on the same image, suit one machine, name the same job or none, and no other job would
stand between them. ``docs/fusion.md`` has the rules and their reasons.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from seatrial.component import TrainingOptions
from seatrial.document.drafts import Draft, Drafts, Fork, Member, Scope
from seatrial.document.flow import Cast, MemberOutput, Picked, Several, Symbol, Template, sources
from seatrial.document.jobs import (
    APART,
    Choice,
    Figures,
    FirstOf,
    Gathered,
    Job,
    JobOutput,
    JobParameter,
    JobResources,
    Kind,
    Node,
    Operand,
    PipelineParameter,
    Plan,
    walk,
)
from seatrial.document.model import Constant, Document, ParameterType, Retry
from seatrial.document.needs import Census, Leaf, combined, furthest, own_images
from seatrial.document.part import Part, unique
from seatrial.document.unfold import Given, Unfolder
from seatrial.errors import DocumentError

__all__ = [
    "Choice",
    "Constant",
    "Figures",
    "FirstOf",
    "Gathered",
    "Job",
    "JobOutput",
    "JobParameter",
    "JobResources",
    "Node",
    "Operand",
    "PipelineParameter",
    "Plan",
    "TrainingOptions",
    "plan",
]


def plan(document: Document, *, fuse: bool = True, own: Collection[str] = (), image: str | None = None) -> Plan:
    """Divide a document into jobs. Pure and deterministic.

    Args:
        document: the whole pipeline.
        fuse: ``False``: one job per task, wherever a target can express that.
        own: images that hold Seatrial, beyond those that run ``python -m seatrial.component`` anyway.
        image: run every task on this image instead of its own; it holds Seatrial and what the tasks need.

    Raises:
        DocumentError: a construct cannot be divided, and what to do instead.
    """
    images = frozenset({image}) if image is not None else own_images(document) | frozenset(own)
    census = Census(document, image)
    drafts = Drafts(images, fuse=fuse)
    outputs = Unfolder(document, drafts, census, fuse=fuse).run()
    return _Finish(document, drafts, census, outputs, image, fuse=fuse).plan()


class _Finish:
    """Names the drafts, connects them and cuts the parts."""

    def __init__(
        self, document: Document, drafts: Drafts, census: Census, outputs: Given, image: str | None, *, fuse: bool
    ) -> None:
        self._document = document
        self._drafts = drafts
        self._census = census
        self._outputs = outputs
        self._image = image
        self._fuse = fuse
        self._names: dict[int, str] = {}
        self._wanted: dict[int, dict[MemberOutput, tuple[str, bool]]] = {i: {} for i in drafts.drafts}
        self._moved = 0

    def plan(self) -> Plan:
        self._attach_unused()
        self._name()
        inside = {d.index: [*d.members, *self._drafts.floats(d)] for d in self._drafts.drafts.values()}
        for draft in self._drafts.drafts.values():
            for member in inside[draft.index]:
                self._want_all(member.parameters.values(), draft, False)
                self._want_all(member.artifacts.values(), draft, True)
        for fork in self._drafts.forks.values():
            for symbol, _ in fork.operands.values():
                self._want(symbol, None, fork.scope, False)
        for symbol, _ in self._outputs.parameters.values():
            self._want(symbol, None, (), False, first=True)
        for symbol in self._outputs.artifacts.values():
            self._want(symbol, None, (), True, first=True)
        jobs = {index: self._job(self._drafts.drafts[index], members) for index, members in inside.items()}
        nodes = self._nodes((), jobs)
        every = self._census.root()
        return Plan(
            name=self._document.name,
            nodes=nodes,
            parameters={n: self._given(s) for n, (s, _) in self._outputs.parameters.items()},
            artifacts={n: self._several(s) for n, s in self._outputs.artifacts.items()},
            figures=Figures(
                tasks=len(every.leaves),
                loops=every.loops,
                task_chain=every.depth,
                jobs=sum(job.kind not in APART for job in walk(nodes)),
                job_chain=self._chain(jobs),
                moved=sum(len(job.artifacts) for job in walk(nodes)),
            ),
        )

    def _attach_unused(self) -> None:
        """An importer that nobody uses still runs, in the first job."""
        used = {n for m in self._drafts.members.values() for n in m.producers()}
        given = [s for s, _ in self._outputs.parameters.values()] + list(self._outputs.artifacts.values())
        direct = {s.member for symbol in given for s in sources(symbol) if isinstance(s, MemberOutput)}
        first = next((d for d in self._drafts.drafts.values() if not d.scope), None)
        for member in self._drafts.members.values():
            if member.floating and (member.name not in used or member.name in direct):
                if first is None:
                    raise DocumentError(
                        f"pipeline '{self._document.name}' only imports artifacts",
                        why="There is nothing that a job could run.",
                        todo="Add a component, or run the document with `seatrial run`.",
                    )
                self._drafts.home[member.name] = first
                first.members.append(member)

    def _name(self) -> None:
        texts: dict[int, str] = {}
        for draft in self._drafts.drafts.values():
            leaf = next((leaf for m in draft.members for leaf in m.needs.leaves), None)
            path = leaf.path if leaf is not None else draft.members[0].task.name
            texts[draft.index] = (draft.hint if self._fuse else "") or path.rpartition(".")[2]
        texts.update({fork.index: fork.name for fork in self._drafts.forks.values()})
        for index, text in texts.items():
            safe = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:50] or "job"
            self._names[index] = unique(safe, self._names.values())

    # what crosses borders

    def _want_all(self, symbols: Iterable[Symbol], draft: Draft, is_artifact: bool) -> None:
        for symbol in symbols:
            self._want(symbol, draft, draft.scope, is_artifact)

    def _want(self, symbol: Symbol, draft: Draft | None, scope: Scope, is_artifact: bool, first: bool = False) -> None:
        """Note every output of another job that a symbol needs."""
        if isinstance(symbol, Picked | Cast):
            self._want(symbol.base, draft, scope, is_artifact, first)
        elif isinstance(symbol, Template):
            for part in symbol.lookup.values():
                self._want(part, draft, scope, is_artifact, first)
        elif isinstance(symbol, Several):
            for part in symbol.parts:
                self._want(part, draft, scope, is_artifact, symbol.first)
        elif isinstance(symbol, MemberOutput):
            producer = self._drafts.home.get(symbol.member)
            if producer is None or producer is draft:
                return
            if Drafts.unshared(producer.scope, scope) is not None and not first:
                raise DocumentError(
                    f"'{symbol.key}' of '{symbol.member}' is used outside of the condition in which it is made",
                    why="Where the branch is not taken, the value does not exist.",
                    todo="Use dsl.OneOf over all branches, or move the task that uses it into the condition.",
                )
            table = self._wanted[producer.index]
            if symbol not in table:
                table[symbol] = (unique(self._output_name(symbol), [name for name, _ in table.values()]), is_artifact)

    def _output_name(self, output: MemberOutput) -> str:
        member = self._drafts.members[output.member]
        key = output.key.removeprefix("pipelinechannel--")
        name = key if key != output.key else f"{member.task.name}-{key}"
        return re.sub(r"[^A-Za-z0-9_-]+", "-", name)

    def _elsewhere(self, output: MemberOutput) -> JobOutput:
        producer = self._drafts.home[output.member]
        return JobOutput(self._names[producer.index], self._wanted[producer.index][output][0])

    def _given(self, symbol: Symbol) -> JobParameter:
        if isinstance(symbol, PipelineParameter | Constant):
            return symbol
        if isinstance(symbol, Cast):
            return self._given(symbol.base)
        found = self._several(symbol)
        if isinstance(symbol, Several):
            return FirstOf(found) if symbol.first else Gathered(found)
        return found[0]

    def _several(self, symbol: Symbol) -> tuple[JobOutput, ...]:
        if isinstance(symbol, MemberOutput):
            return (self._elsewhere(symbol),)
        if isinstance(symbol, Several):
            return tuple(output for part in symbol.parts for output in self._several(part))
        raise DocumentError(
            "an output of the pipeline is neither a parameter nor an output of a task",
            why="Only those exist when the pipeline has ended.",
            todo="Return an output of a task from the pipeline.",
        )

    # jobs and choices

    def _job(self, draft: Draft, members: list[Member]) -> Job:
        name = self._names[draft.index]
        wanted = [(output, n, is_artifact) for output, (n, is_artifact) in self._wanted[draft.index].items()]
        part = Part(self._document, members, wanted, self._elsewhere, self._image, self._drafts.members)
        document = part.build()
        leaves = self._placed(draft)
        retries = {leaf.retry for leaf in leaves}
        job = Job(
            name=name,
            tasks=tuple(leaf.path for leaf in leaves),
            document=document,
            image=draft.image,
            resources=combined(leaves),
            kind=self._kind(draft, leaves),
            parameters=part.parameters,
            artifacts=part.artifacts,
            retry=next(iter(retries)) if len(retries) == 1 else Retry(),
            cache=bool(leaves) and all(leaf.cache for leaf in leaves),
            training=next((leaf.training for leaf in leaves if leaf.training), None),
            role=furthest(leaves),
            uses=tuple(sorted({use for leaf in leaves for use in leaf.uses})),
            columns=_columns(leaves),
            display={leaf.path: leaf.display for leaf in leaves},
        )
        return replace(job, after=self._after(draft, members, job.upstream()))

    def _kind(self, draft: Draft, leaves: tuple[Leaf, ...]) -> Kind:
        if not self._drafts.is_own(draft.image):
            return "foreign"
        if len(leaves) == 1 and leaves[0].apart:
            return leaves[0].apart
        return "training" if any(leaf.training for leaf in leaves) else "processing"

    def _placed(self, draft: Draft) -> tuple[Leaf, ...]:
        """The job's container tasks with their whole paths, in an order in which they can run."""

        end: dict[str, int] = {}
        found: list[Leaf] = []
        for member in draft.members:
            start = max((end[n] for n in member.producers() | member.after if n in end), default=0)
            end[member.name] = start + member.needs.depth
            for leaf in member.needs.leaves:
                path = member.name + leaf.path[len(member.task.name) :]
                found.append(replace(leaf, path=path, level=start + leaf.level))
        return tuple(sorted(found, key=lambda leaf: leaf.level))

    def _after(self, draft: Draft, members: list[Member], upstream: frozenset[str]) -> tuple[str, ...]:
        """Jobs and choices to wait for that no input names and no other of them implies."""
        found: dict[str, set[int]] = {}
        for name in sorted({n for member in members for n in member.after}):
            producer = self._drafts.home.get(name)
            if producer is None or producer is draft:
                continue
            outside = Drafts.unshared(producer.scope, draft.scope)
            node = self._names[producer.index] if outside is None else self._names[outside]
            inside = self._drafts.jobs_of({name}, draft.scope)
            found.setdefault(node, set()).update(inside)
        known = {index for index, name in self._names.items() if name in upstream}
        above: set[int] = set(known)
        for index in known | {i for indices in found.values() for i in indices}:
            above |= self._drafts.upstream(index)
        return tuple(sorted(node for node, indices in found.items() if not indices <= above))

    def _nodes(self, scope: Scope, jobs: Mapping[int, Job]) -> tuple[Node, ...]:
        """Jobs and choices directly in a branch, each after what it waits for."""
        items: dict[int, set[int]] = {}
        for draft in self._drafts.drafts.values():
            if draft.scope[: len(scope)] == scope:
                item = draft.index if len(draft.scope) == len(scope) else draft.scope[len(scope)][0]
                items.setdefault(item, set()).add(draft.index)
        for fork in self._drafts.forks.values():
            if fork.scope == scope:
                items.setdefault(fork.index, set())
        before = {
            item: {p for d in inside for p in self._drafts.upstream(d)} | self._operands_of(item)
            for item, inside in items.items()
        }
        ordered: list[int] = []
        waiting = sorted(items)
        while waiting:
            ready = next(i for i in waiting if not any(before[i] & items[o] for o in waiting if o != i))
            waiting.remove(ready)
            ordered.append(ready)
        return tuple(
            jobs[i] if i in self._drafts.drafts else self._choice(self._drafts.forks[i], scope, jobs) for i in ordered
        )

    def _operands_of(self, item: int) -> set[int]:
        fork = self._drafts.forks.get(item)
        if fork is None:
            return set()
        return fork.before.union(*(self._drafts.upstream(index) for index in fork.before))

    def _choice(self, fork: Fork, scope: Scope, jobs: Mapping[int, Job]) -> Choice:
        return Choice(
            name=self._names[fork.index],
            condition=fork.condition,
            operands={name: self._operand(symbol, kind) for name, (symbol, kind) in fork.operands.items()},
            then=self._nodes((*scope, (fork.index, True)), jobs),
            otherwise=self._nodes((*scope, (fork.index, False)), jobs),
        )

    def _operand(self, symbol: Symbol, kind: ParameterType) -> Operand:
        path = symbol.path if isinstance(symbol, Picked) else None
        source = self._given(symbol.base if isinstance(symbol, Picked) else symbol)
        assert isinstance(source, PipelineParameter | JobOutput)  # the unfolder names nothing else
        return Operand(source, kind, path)

    def _chain(self, jobs: Mapping[int, Job]) -> int:
        longest: dict[int, int] = {}

        def length(index: int) -> int:
            if index not in longest:
                before = [length(p) for p in sorted(self._drafts.drafts[index].before)]
                longest[index] = max(before, default=0) + (jobs[index].kind not in APART)
            return longest[index]

        return max((length(index) for index in jobs), default=0)


def _columns(leaves: tuple[Leaf, ...]) -> tuple[tuple[str, ...], ...]:
    levels = sorted({leaf.level for leaf in leaves})
    return tuple(tuple(leaf.path for leaf in leaves if leaf.level == level) for level in levels)
