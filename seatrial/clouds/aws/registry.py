"""The registry on AWS: versions are SageMaker model packages, the champion is one S3 object.

SageMaker says which versions exist and what they remember; ``ledger`` says who is champion. Approval shows the same to
people and to EventBridge: a version waits for approval when it is registered, is approved by its promotion and rejected
by its rollback. That is a mirror: when a kill lost a change of it, the next one who reads the version repairs it. A
person may approve or reject as well; who is rejected by a person is not promoted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from seatrial.clouds.aws import ledger
from seatrial.clouds.aws.archive import packed, unpack
from seatrial.clouds.aws.calls import Call, declare
from seatrial.clouds.aws.failures import Refused
from seatrial.clouds.aws.ledger import Ledger
from seatrial.clouds.aws.names import Names
from seatrial.clouds.aws.properties import decoded, encoded
from seatrial.clouds.aws.session import Aws
from seatrial.clouds.aws.stack import BRING_UP, StackOutputs
from seatrial.clouds.base import Promotion, Version
from seatrial.clouds.champions import (
    TAG_PREFIX,
    Champions,
    no_package,
    opponent,
    refuse_reserved,
    unknown_version,
)
from seatrial.clouds.package_store import PackageStore, Verify
from seatrial.errors import RegistryError

Json = Any
Approval = Literal["Approved", "Rejected", "PendingManualApproval"]

DIGEST = "seatrial.package_digest"
RUN = "seatrial.run"
ROLE = "seatrial.role"
"""What the mirror last showed: absent, ``champion``, ``replaced`` or ``rolled back``."""

_VERSIONS = ("sagemaker:model-package/{endpoint}/*",)
_PACKAGES = ("s3:packages/*",)
READS = declare(
    *ledger.READS,
    Call("sagemaker:DescribeModelPackage", _VERSIONS, "read a version"),
    Call("s3:GetObject", _PACKAGES, "fetch a version's package"),
)
LISTS = declare(Call("sagemaker:ListModelPackages", _VERSIONS, "list a model's versions"))
REGISTERS = declare(
    *READS,
    *LISTS,
    Call("s3:HeadObject", _PACKAGES, "see whether a package is kept already", may_be_missing=True),
    Call("s3:PutObject", _PACKAGES, "keep a version's package"),
    Call("sagemaker:CreateModelPackage", _VERSIONS, "register a version"),
)
PROMOTES = declare(
    *READS,
    *ledger.CHANGES,
    Call("s3:HeadObject", _PACKAGES, "see that a version has its package before it is promoted", may_be_missing=True),
    Call("sagemaker:UpdateModelPackage", _VERSIONS, "show on a version what became of it"),
)
DECIDES = declare(
    *READS,
    *LISTS,
    Call("sagemaker:UpdateModelPackage", _VERSIONS, "approve or reject a version"),
)


class AwsRegistry:
    """The registry contract of ``seatrial.clouds.base``.

    Args:
        aws: how requests are made.
        stack: where everything is.
        state: the project's state folder; packages that were fetched are kept in it.
        verify: checks a package folder and returns its digest, or raises PackageError.
    """

    def __init__(self, aws: Aws, stack: StackOutputs, state: Path, verify: Verify) -> None:
        self._aws = aws
        self._stack = stack
        self._verify = verify
        self._ledger = Ledger(aws, stack)
        self._copies = PackageStore(state / "aws" / "packages", verify)
        self._digests: dict[str, str] = {}  # of a model package's ARN; neither ever changes

    def register(self, model: str, package: Path, digest: str, *, run: str, tags: Mapping[str, str]) -> Version:
        """Upload the package and make a version for it, or return the version that it already is."""
        refuse_reserved(tags)
        properties = encoded({**tags, DIGEST: digest, RUN: run})
        copy = self._copies.put(package, digest)
        self._upload(copy, digest)
        number = self._find(model, digest) or self._create_package(model, digest, properties)
        return self.version(model, number)

    def promote(self, model: str, version: int, *, expected_champion: int | None, again: bool = False) -> Promotion:
        """Make ``version`` champion if the champion still is ``expected_champion``."""
        challenger = self._described(model, version)

        def decide(champions: Champions) -> Champions:
            after = champions.promoted(model, version, expected=expected_champion, again=again)
            if after is not champions:
                self._refuse_unfit(model, challenger, champions, again=again)
            return after

        before, after = self._ledger.change(model, decide)
        self._reflect(model, after, (version, after.previous))
        promoted = self._version(model, challenger, after)
        return Promotion(promoted, over=promoted.promoted_over, changed=after is not before)

    def rollback(self, model: str, version: int | None = None) -> Version | None:
        """Make the previous champion champion again; with none, the model has no champion."""
        if version is None:
            version = self._ledger.read(model).champion  # named once: a repeated attempt must not go back a second step
        else:
            self._described(model, version)
        before, after = self._ledger.change(model, lambda champions: champions.after_rollback(model, version))
        self._reflect(model, after, (before.champion, after.champion))
        return None if after.champion is None else self._version(model, self._described(model, after.champion), after)

    def champion(self, model: str) -> Version | None:
        """Return the version that serves."""
        champions = self._ledger.read(model)
        return None if champions.champion is None else self._read(model, champions.champion, champions)

    def champion_for(self, model: str, digests: Collection[str]) -> Version | None:
        """Return the version that packages with these digests would replace, or did replace."""
        champions = self._ledger.read(model)
        present = None if champions.champion is None else self._read(model, champions.champion, champions)
        return opponent(present, digests, lambda number: self._read(model, number, champions))

    def version(self, model: str, number: int) -> Version:
        """Return one version."""
        return self._read(model, number, self._ledger.read(model))

    def versions(self, model: str) -> Sequence[Version]:
        """Return all versions, oldest first."""
        champions = self._ledger.read(model)
        return [self._read(model, number, champions) for number in self._numbers(model)]

    def models(self) -> Sequence[str]:
        """Return the names of all models that have a version, sorted."""
        return sorted(name for name in self._stack.models if self._numbers(name))

    def package_path(self, version: Version) -> Path:
        """Return a local copy of the version's package; it is fetched, and verified, when there is none."""
        if not version.digest:
            raise no_package(version, None)
        folder = self._copies.intact(version.digest)
        if folder is not None:
            return folder
        uri = self.package_uri(version.digest)
        try:
            found = self._aws.ask("s3", "GetObject", Bucket=self._stack.bucket, Key=self._key(version.digest))
        except Refused as refused:
            if not refused.absent:
                raise
            raise no_package(version, uri) from refused
        with tempfile.TemporaryDirectory(prefix="seatrial-") as fetched:
            unpack(found["Body"].read(), Path(fetched))
            return self._copies.put(Path(fetched), version.digest)

    def package_uri(self, digest: str) -> str:
        """Where the package with this digest lies, as the archive that a model server gets."""
        return self._stack.uri("packages", f"{digest}.tar.gz")

    def approval(self, model: str, number: int) -> Approval:
        """Return what people and EventBridge see of a version."""
        status: Approval = self._described(model, number).get("ModelApprovalStatus", "PendingManualApproval")
        return status

    def approve(self, model: str, number: int, *, note: str) -> None:
        """Approve a version, as a person does in SageMaker Studio; EventBridge tells whoever waits for it."""
        self._decide(model, number, "Approved", note)

    def reject(self, model: str, number: int, *, note: str) -> None:
        """Reject a version: it is not promoted. The champion stays champion until it is rolled back."""
        self._decide(model, number, "Rejected", note)

    # packages in S3

    def _key(self, digest: str) -> str:
        return self._stack.key("packages", f"{digest}.tar.gz")

    def _upload(self, folder: Path, digest: str) -> None:
        """Put the archive in its place; what lies there under the same digest and is the same stays."""
        from base64 import b64encode
        from hashlib import sha256

        content = packed(folder)
        checksum = b64encode(sha256(content).digest()).decode()
        place = {"Bucket": self._stack.bucket, "Key": self._key(digest)}
        try:
            there = self._aws.ask("s3", "HeadObject", **place, ChecksumMode="ENABLED")
        except Refused as refused:
            if not refused.absent:
                raise
        else:
            if there.get("ChecksumSHA256") == checksum:
                return
        self._aws.submit("s3", "PutObject", **place, Body=content, ChecksumSHA256=checksum, **self._stack.encryption())

    # model packages

    def _create_package(self, model: str, digest: str, properties: Mapping[str, str]) -> int:
        """Make a version; gives its number, which a listing may not know yet."""
        group = self._group(model)
        try:
            made = self._aws.submit(
                "sagemaker",
                "CreateModelPackage",
                ModelPackageGroupName=group,
                ModelPackageDescription=f"Package {digest} of the model {model}.",
                InferenceSpecification={
                    "Containers": [{"Image": self._stack.image, "ModelDataUrl": self.package_uri(digest)}],
                    "SupportedContentTypes": ["application/json"],
                    "SupportedResponseMIMETypes": ["application/json"],
                },
                ModelApprovalStatus="PendingManualApproval",
                CustomerMetadataProperties=dict(properties),
                ClientToken=digest[:36],  # two that register at once get one version
            )
        except Refused as refused:
            if not refused.absent:
                raise
            raise RegistryError(
                f"the model package group '{group}' is not there",
                why="The infrastructure makes it, and versions are registered in it.",
                todo=f"Bring the infrastructure up to date: {BRING_UP}",
            ) from refused
        return int(made["ModelPackageArn"].rpartition("/")[2])

    def _numbers(self, model: str) -> list[int]:
        """The versions, oldest first. A package that was registered twice counts as its first version only."""
        firsts: dict[str, int] = {}
        numbers = []
        for number in self._listed(model):
            digest = self._digest(model, number)
            if not digest or firsts.setdefault(digest, number) == number:
                numbers.append(number)
        return numbers

    def _listed(self, model: str) -> list[int]:
        group = self._group(model)
        found: Iterator[Json] = self._aws.pages(
            "sagemaker", "ListModelPackages", "ModelPackageSummaryList", ModelPackageGroupName=group
        )
        try:
            return sorted(int(each["ModelPackageVersion"]) for each in found)
        except Refused as refused:
            if refused.absent:
                return []
            raise

    def _find(self, model: str, digest: str) -> int | None:
        return next((number for number in self._listed(model) if self._digest(model, number) == digest), None)

    def _digest(self, model: str, number: int) -> str:
        arn = self._arn(model, number)
        if arn not in self._digests:
            self._digests[arn] = self._described(model, number).get("CustomerMetadataProperties", {}).get(DIGEST, "")
        return self._digests[arn]

    def _group(self, model: str) -> str:
        return Names.of(self._stack, model).group

    def _arn(self, model: str, number: int) -> str:
        return self._stack.arn("sagemaker", f"model-package/{self._group(model)}/{number}")

    def _described(self, model: str, number: int) -> dict[str, Json]:
        try:
            found: dict[str, Json] = self._aws.ask(
                "sagemaker", "DescribeModelPackage", ModelPackageName=self._arn(model, number)
            )
        except Refused as refused:
            if refused.absent:
                raise unknown_version(model, number, self._listed(model)) from refused
            raise
        return found

    def _read(self, model: str, number: int, champions: Champions) -> Version:
        described = self._described(model, number)
        if _shown(described) != _role(number, champions):
            self._reflect(model, self._ledger.read(model), (number,))  # it may have changed since it was read
        return self._version(model, described, champions)

    def _version(self, model: str, described: Mapping[str, Json], champions: Champions) -> Version:
        number = int(described["ModelPackageVersion"])
        values = decoded(described.get("CustomerMetadataProperties") or {})
        return Version(
            model=model,
            number=number,
            digest=values.get(DIGEST, ""),
            run=values.get(RUN, ""),
            created=described["CreationTime"],
            promoted=number in champions.promoted_over,
            promoted_over=champions.promoted_over.get(number),
            rolled_back=number in champions.rolled_back,
            aliases=champions.aliases(number),
            tags={name: value for name, value in values.items() if not name.startswith(TAG_PREFIX)},
        )

    # approval

    def _refuse_unfit(self, model: str, challenger: Mapping[str, Json], champions: Champions, *, again: bool) -> None:
        version = self._version(model, challenger, champions)
        self._require_package(version)
        rejected = challenger.get("ModelApprovalStatus") == "Rejected" and not version.rolled_back
        if rejected and not again:
            note = challenger.get("ApprovalDescription") or "no reason was given"
            raise RegistryError(
                f"{version.model} v{version.number} was rejected and is not promoted: {note}",
                why="Somebody decided so in SageMaker, and a pipeline does not overrule a person.",
                todo="Approve it there, or train a model that differs.",
            )

    def _require_package(self, version: Version) -> None:
        if not version.digest:
            raise no_package(version, None)
        try:
            self._aws.ask("s3", "HeadObject", Bucket=self._stack.bucket, Key=self._key(version.digest))
        except Refused as refused:
            if refused.absent:
                raise no_package(version, self.package_uri(version.digest)) from refused
            raise

    def _reflect(self, model: str, champions: Champions, numbers: Collection[int | None]) -> None:
        """Show the ledger's state on model packages. Who may only read leaves that to the next who may write."""
        for number in sorted({n for n in numbers if n is not None}):
            described = self._described(model, number)
            role = _role(number, champions)
            if _shown(described) == role:
                continue
            change: dict[str, Json] = {}
            if role == "champion":
                change = {"ModelApprovalStatus": "Approved", "ApprovalDescription": "Champion."}
            elif role == "rolled back":
                change = {"ModelApprovalStatus": "Rejected", "ApprovalDescription": "Rolled back as champion."}
            if described.get("ModelApprovalStatus") == change.get("ModelApprovalStatus"):
                change = {}  # an approval is an event that starts the release, and a person's note stays
            properties = {**(described.get("CustomerMetadataProperties") or {}), ROLE: role}
            try:
                self._aws.submit(
                    "sagemaker",
                    "UpdateModelPackage",
                    ModelPackageArn=self._arn(model, number),
                    CustomerMetadataProperties=properties,
                    **change,
                )
            except Refused as refused:
                if not refused.denied:
                    raise

    def _decide(self, model: str, number: int, status: Approval, note: str) -> None:
        self._described(model, number)
        self._aws.submit(
            "sagemaker",
            "UpdateModelPackage",
            ModelPackageArn=self._arn(model, number),
            ModelApprovalStatus=status,
            ApprovalDescription=note,
        )


def _role(number: int, champions: Champions) -> str:
    if number == champions.champion:
        return "champion"
    if number in champions.rolled_back:
        return "rolled back"
    return "replaced" if number in champions.promoted_over else ""


def _shown(described: Mapping[str, Json]) -> str:
    return str((described.get("CustomerMetadataProperties") or {}).get(ROLE, ""))
