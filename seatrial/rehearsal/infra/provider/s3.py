"""Buckets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.provider.forms import Field, Fields, Map, Pairs
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType

_NO_TAGS = "NoSuchTagSet"
_BATCH = 1000


class Bucket(ResourceType):
    """A bucket, empty of settings. Those are resources of their own."""

    type: ClassVar[str] = "aws:s3/bucket:Bucket"
    service: ClassVar[str] = "s3"
    creates: ClassVar[str] = "CreateBucket"
    identity: ClassVar[tuple[str, ...]] = ("bucket",)
    named: ClassVar[str] = "bucket"
    gone: ClassVar[tuple[str, ...]] = ("NoSuchBucket", "404")
    fields: ClassVar[Fields] = {
        "bucket": Field(replaces=True),
        "forceDestroy": Field(local="says whether a deletion takes the objects with it", default=False),
        "tags": Field(form=Pairs(), apart=True),
        "arn": Field(output=True),
        "bucketDomainName": Field(output=True),
        "bucketRegionalDomainName": Field(output=True),
        "bucketRegion": Field(output=True),
        "tagsAll": Field(output=True, form=Map()),
    }

    def request(self, inputs: Props) -> dict[str, Any]:
        """In the session's region; us-east-1 is the one that must not be named."""
        place = {"CreateBucketConfiguration": {"LocationConstraint": self.session.region}}
        return super().request(inputs) | ({} if self.session.region == "us-east-1" else place)

    def create(self, inputs: Props) -> str:
        """Make it. us-east-1 says yes to whoever owns the bucket already, so it is asked first."""
        name = str(inputs["bucket"])
        if self._exists(name):
            taken = "Your previous request to create the named bucket succeeded and you already own it."
            raise self.session.refusal(self.creates, "BucketAlreadyOwnedByYou", taken)
        self.send(inputs)
        return name

    def _exists(self, name: str) -> bool:
        return self.ask("HeadBucket", Bucket=name) is not None

    def complete(self, id: str, inputs: Props) -> None:
        """Its tags."""
        if inputs.get("tags"):
            self._tag(id, inputs["tags"])

    def _tag(self, id: str, tags: Props | None) -> None:
        if tags:
            self.call("PutBucketTagging", Bucket=id, Tagging={"TagSet": Pairs().to_cloud(tags)})
        else:
            self.call("DeleteBucketTagging", Bucket=id)

    def find(self, id: str) -> Props | None:
        """The bucket and its tags."""
        if not self._exists(id):
            return None
        tags = self.session.ask("s3", "GetBucketTagging", (_NO_TAGS,), Bucket=id)
        region = self.call("GetBucketLocation", Bucket=id).get("LocationConstraint") or "us-east-1"
        return {
            "bucket": id,
            "tags": (told := Pairs().to_program((tags or {}).get("TagSet"))),
            "tagsAll": told,
            "arn": self.session.arn("s3", id, regional=False, account=False),
            "bucketDomainName": f"{id}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{id}.s3.{region}.amazonaws.com",
            "bucketRegion": region,
        }

    def update(self, change: Change) -> None:
        """Its tags."""
        self._tag(change.id, change.inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Delete it; what is in it only where ``forceDestroy`` says so."""
        if known.outputs.get("forceDestroy"):
            self._empty(known.id)
        self.call("DeleteBucket", Bucket=known.id)

    def _empty(self, id: str) -> None:
        for page in self.session.client("s3").get_paginator("list_object_versions").paginate(Bucket=id):
            found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            for start in range(0, len(found), _BATCH):
                keys = [{"Key": e["Key"], "VersionId": e["VersionId"]} for e in found[start : start + _BATCH]]
                self.call("DeleteObjects", Bucket=id, Delete={"Objects": keys, "Quiet": True})

    def ids(self) -> Iterable[str]:
        """Every bucket."""
        return [each["Name"] for each in self.call("ListBuckets").get("Buckets", ())]


TYPES = (Bucket,)
