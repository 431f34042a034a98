"""A stack on the offline AWS, from a preview to nothing left; after each operation state and cloud have to agree."""

from __future__ import annotations

from typing import Any

from seatrial.errors import RehearsalError
from seatrial.rehearsal.aws import OfflineAws
from seatrial.rehearsal.infra.compare import compared
from seatrial.rehearsal.infra.deployment import Step
from seatrial.rehearsal.infra.lifecycle import DeploymentFailed, Infra
from seatrial.rehearsal.infra.order import Turns, latest_first
from seatrial.rehearsal.infra.provider.base import Provider
from seatrial.rehearsal.infra.script import Script, merged
from seatrial.rehearsal.infra.state import Resource
from seatrial.rehearsal.infra.words import (
    SHOWN,
    by_service,
    expected_in_words,
    in_words,
    settings_in_words,
    urns_of,
    what_was_done,
)
from seatrial.rehearsal.story.timeline import Timeline

_UNPROTECT = "pulumi state unprotect"
_BUCKET = "aws:s3/bucket:Bucket"
_NOT_EMPTY = "BucketNotEmpty"


class InfraStory:
    """One rehearsal. Each method is a stage; ``tell`` runs them in order.

    Args:
        infra: the stack; nothing of it exists yet.
        provider: the one that ``infra`` uses.
        aws: the cloud behind it.
        script: what is changed, broken and taken away.
        s3: a client of that cloud: somebody's hand.
        line: is told what happens.
    """

    def __init__(
        self, infra: Infra, provider: Provider, aws: OfflineAws, script: Script, s3: Any, line: Timeline
    ) -> None:
        self._infra, self._provider, self._aws, self._script = infra, provider, aws, script
        self._s3, self._line = s3, line
        self.comparisons: list[tuple[int, int]] = []
        """Of each comparison: resources and properties."""

    def tell(self) -> None:
        """Everything, in order.

        Raises:
            RehearsalError: something that must hold did not.
            SeatrialError: a part of the machinery failed.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        stages = (
            ("preview", self._preview),
            ("up", self._up),
            ("again", self._again),
            ("change", self._change),
            ("refresh", self._refresh),
            ("failure", self._failure),
            ("destroy", self._destroy),
        )
        for name, stage in stages:
            with self._line.stage(name):
                try:
                    stage()
                except (ClientError, BotoCoreError) as refused:
                    raise RehearsalError(
                        f"the offline AWS refused what somebody's hand did: {refused}",
                        why="No program asked this, but the rehearsal itself, as the account's owner would.",
                        todo="If AWS would have answered it, that is a defect of the offline AWS: report it.",
                    ) from refused

    # stages

    def _preview(self) -> None:
        before = self._provider.inventory()
        planned = self._infra.preview()
        touched = sorted(self._provider.inventory() ^ before)
        self._line.check(
            not touched and not self._infra.resources and set(planned.counts) <= {"create", "read"},
            f"{planned.counts['create']} to create, nothing touched",
            by_service(planned),
            *planned.messages,
            otherwise=f"a preview changed the cloud or the state: {touched[:SHOWN]}",
        )
        self._planned, self._order = what_was_done(planned.changes), latest_first(planned.registered)

    def _up(self) -> None:
        try:
            made = self._infra.up(turn=Turns(self._order).turn)
        except DeploymentFailed as failed:
            raise RehearsalError(
                failed.what,
                why=f"{failed.why}\nWhat no dependency orders is made here in the other order than the program's: "
                "Pulumi promises none.",
                todo="If it needs something that the program makes, say so: take that one's output instead of a text, "
                f"or name it in depends_on. Else: {failed.todo}",
            ) from failed
        self._line.check(
            what_was_done(made.changes) == self._planned,
            f"{made.counts['create']} created, as previewed",
            f"{made.seconds:.1f} s, the program's own start included; what no dependency orders was made in the other "
            "order than the program's",
            otherwise="an update did something else than its preview said: "
            f"{sorted(what_was_done(made.changes) ^ self._planned)[:SHOWN]}",
        )
        self._agree()

    def _again(self) -> None:
        again = self._infra.up()
        self._line.check(
            not again.changes,
            f"nothing changed: {again.counts['same']} are as they were",
            otherwise=f"a second update, of the same program, is not without effect: {in_words(again.changes)}",
            why="\n".join(line for step in again.changes[:SHOWN] for line in step.details),
            todo="Look at the property: the program computes another value each time, or the provider reads it back "
            "otherwise than it was given.",
        )
        self._agree()

    def _change(self) -> None:
        self._set(self._script.change.settings)
        changed = self._infra.up()
        expected = {name: frozenset(names) for name, names in self._script.change.expect.items()}
        found = {step.name: frozenset(step.properties) for step in changed.changes}
        self._line.check(
            found == expected and {step.op for step in changed.changes} == {"update"},
            f"changed setting: {in_words(changed.changes)}, and nothing else",
            *(line for step in changed.changes for line in step.details),
            otherwise=f"the changed setting did this: {in_words(changed.changes)}",
            why=f"{settings_in_words(self._script.change.settings)} was to change "
            f"{expected_in_words(self._script)} alone.",
            todo="Correct the program, or [change] in its rehearsal.toml.",
        )
        self._agree()

    def _refresh(self) -> None:
        bucket = self._bucket()
        belonging = _belonging(bucket, self._infra.resources)
        self._s3.delete_bucket(Bucket=bucket.id)
        seen = self._infra.compare()
        self._line.check(
            any(each.urn == bucket.urn for each in seen),
            f"somebody deleted the bucket {bucket.id}, and it shows: {len(seen)} differences",
            *(str(each) for each in seen[:1]),
            otherwise=f"a bucket was deleted by hand, and state and cloud are said to agree: {bucket.id}",
        )
        refreshed = self._infra.refresh()
        gone = what_was_done(refreshed.changes)
        self._line.check(
            gone == {("gone", urn) for urn in belonging},
            f"refresh noticed: {len(gone)} gone, the bucket and what belongs to it",
            ", ".join(sorted(step.name for step in refreshed.changes)),
            otherwise=f"after a bucket was deleted by hand, refresh says: {in_words(refreshed.changes)}",
        )
        self._agree()
        restored = self._infra.up()
        self._line.check(
            what_was_done(restored.changes) == {("create", urn) for urn in belonging},
            f"the next up made them again: {len(restored.changes)} created",
            otherwise=f"what was deleted by hand is not simply made again: {in_words(restored.changes)}",
        )
        self._agree()

    def _failure(self) -> None:
        self._set(self._script.failure.settings)
        planned = urns_of(self._infra.preview().changes)
        fault = self._script.failure.fault
        self._aws.fault(fault.kind, **fault.model_dump(exclude={"kind"}))
        try:
            self._infra.up()
        except DeploymentFailed as broken:
            failed = broken
        else:
            raise RehearsalError(
                f"the update was to fail half-way, and succeeded: no {fault.operation} was asked for",
                why=f"The fault: {fault.kind} of {fault.operation}; the settings: "
                f"{settings_in_words(self._script.failure.settings)}.",
                todo="Correct [failure] in the program's rehearsal.toml.",
            )
        finally:
            self._aws.clear_faults()
        done = urns_of(failed.applied.changes)
        self._line.check(
            bool(done) and done < planned,
            f"an update broke off half-way: {len(done)} of {len(planned)} steps done",
            failed.problems[0].what,
            otherwise=f"an update that failed did {len(done)} of {len(planned)} steps: {failed.what}",
            todo="Choose a fault in [failure] of the program's rehearsal.toml that strikes half-way.",
        )
        self._agree()
        finished = self._infra.up()
        self._line.check(
            urns_of(finished.changes) == planned - done,
            f"the next up did the rest, nothing twice: {in_words(finished.changes)}",
            otherwise="after a failure, the next update does something else than the rest: "
            f"{in_words(finished.changes)}",
        )
        self._agree()

    def _destroy(self) -> None:
        protected = self._infra.protected()
        if protected:
            self._refused(protected)
        recorded = self._infra.resources
        destroyed = self._destroyed()
        place = {step.urn: number for number, step in enumerate(destroyed)}
        late = [
            (each.name, urn) for each in recorded for urn in each.needs if urn in place and place[each.urn] > place[urn]
        ]
        self._line.check(
            not late,
            f"{len(destroyed)} deleted, each before what it needs",
            otherwise=f"deleted after what they need: {late[:SHOWN]}",
        )
        left = sorted(self._provider.inventory())
        self._line.check(
            not left and not self._infra.resources,
            "0 left, in the cloud and in the state",
            otherwise=f"left behind: {', '.join(f'{type} {id}' for type, id in left) or 'the state'}",
            why="What nobody removes costs money or clutters the account.",
        )

    # means

    def _refused(self, protected: tuple[Resource, ...]) -> None:
        """As a person would: try, read the refusal, and take the protection away on purpose."""
        before = self._provider.inventory()
        try:
            self._infra.destroy()
        except DeploymentFailed as refused:
            told = refused
        else:
            raise RehearsalError(
                f"{len(protected)} protected resources were destroyed without a word",
                why="Protection is there so that nobody deletes them by mistake.",
                todo="Report it: this is a defect of the rehearsal's engine.",
            )
        self._line.check(
            self._provider.inventory() == before and _UNPROTECT in told.todo,
            f"destroy refused: {len(protected)} protected, nothing was deleted",
            ", ".join(sorted(each.name for each in protected)),
            told.todo,
            otherwise="a refused destroy deleted something, or does not say what to do",
        )
        self._agree()
        self._infra.unprotect(*(each.urn for each in protected))
        self._line.tell(f"unprotected on purpose: {len(protected)}")

    def _destroyed(self) -> tuple[Step, ...]:
        """Destroy; what a bucket holds that keeps it is deleted by hand, as a person would have to."""
        try:
            return self._infra.destroy().steps
        except DeploymentFailed as kept:
            if _NOT_EMPTY not in kept.what:
                raise
            done, told = kept.applied.steps, kept.problems[0].what
        self._line.tell(f"destroy broke off after {len(done)}: a bucket holds something", told)
        self._agree()
        emptied = {each.name: self._empty(each.id) for each in self._infra.resources if _keeps_what_it_holds(each)}
        held = ", ".join(f"{name} held {count} objects" for name, count in sorted(emptied.items()))
        self._line.tell(f"emptied by hand: {len(emptied)}", held)
        return done + self._infra.destroy().steps

    def _empty(self, bucket: str) -> int:
        """Delete every version of every object; gives how many there were."""
        count = 0
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for each in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                self._s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
                count += 1
        return count

    def _agree(self) -> None:
        """State and cloud say the same, property by property, or the rehearsal ends here."""
        found = self._infra.compare()
        size = compared(self._infra.resources, self._provider)
        self.comparisons.append(size)
        more = f"\nand {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        self._line.check(
            not found,
            f"state = cloud: {size[0]} resources, {size[1]} properties, 0 differences",
            otherwise=f"state and cloud differ in {len(found)} places",
            why="\n".join(str(each) for each in found[:SHOWN]) + more,
            todo="The provider applies, or reads back, something else than the program says: correct it, or the "
            "program.",
        )

    def _set(self, settings: dict[str, Any]) -> None:
        self._infra.configure({key: merged(self._infra.config(key), value) for key, value in settings.items()})

    def _bucket(self) -> Resource:
        for each in self._infra.resources:
            if each.name == self._script.deleted and each.type == _BUCKET:
                return each
        raise RehearsalError(
            f"the program has no bucket '{self._script.deleted}'",
            why="The rehearsal deletes it by hand, to see whether that is noticed.",
            todo="Name one in 'deleted' of the program's rehearsal.toml.",
        )


def _keeps_what_it_holds(resource: Resource) -> bool:
    return resource.type == _BUCKET and not resource.inputs.get("forceDestroy")


def _belonging(bucket: Resource, resources: tuple[Resource, ...]) -> set[str]:
    """A bucket's URN and those of its settings: what is found by the bucket's name goes with it."""
    kin = {each.urn for each in resources if each.type.startswith("aws:s3/") and each.id == bucket.id}
    return kin | {bucket.urn}
