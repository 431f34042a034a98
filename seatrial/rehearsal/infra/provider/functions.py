"""Lambda functions, and who may call them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from seatrial.rehearsal.infra.provider.base import UNKNOWN, Props, content, digest_of, is_blob
from seatrial.rehearsal.infra.provider.fields import TAGS, Block, Field, Fields
from seatrial.rehearsal.infra.provider.forms import Form, Map
from seatrial.rehearsal.infra.provider.resource import Change, Known, ResourceType, Tagging

_TAGGING = Tagging("lambda", ("ListTags", "Tags"), "TagResource", "UntagResource", "Resource", form=Map())
_GONE = ("ResourceNotFoundException",)


class _Code(Form):
    """An archive in the program, a zip in the request, a digest in the answer."""

    def to_cloud(self, value: Any) -> Any:
        """Its bytes; a digest alone stands for some."""
        return {"ZipFile": content(value) if "content" in value else b"-"} if is_blob(value) else value

    def to_program(self, value: Any) -> Any:
        """Its digest."""
        return None if value is None else digest_of("archive", base64.b64decode(value).hex())

    def same(self, one: Any, other: Any) -> bool:
        """Compare the digests."""
        return is_blob(one) and is_blob(other) and one["hash"] == other["hash"]

    def problems(self, value: Any, path: str) -> Iterator[str]:
        """What is no archive."""
        if value != UNKNOWN and not is_blob(value):
            yield f"{path}: has to be an archive"


class Function(ResourceType):
    """A function whose code comes with the program; its name is its id."""

    type: ClassVar[str] = "aws:lambda/function:Function"
    service: ClassVar[str] = "lambda"
    creates: ClassVar[str] = "CreateFunction"
    identity: ClassVar[tuple[str, ...]] = ("name",)
    named: ClassVar[str] = "name"
    gone: ClassVar[tuple[str, ...]] = _GONE
    fields: ClassVar[Fields] = {
        "name": Field("FunctionName", replaces=True),
        "description": Field(),
        "role": Field(required=True),
        "runtime": Field(required=True),
        "handler": Field(required=True),
        "code": Field(form=_Code(), required=True),
        "timeout": Field(default=3),
        "memorySize": Field(default=128),
        "environment": Field(form=Block({"variables": Field(form=Map())})),
        "kmsKeyArn": Field("KMSKeyArn"),
        "arn": Field("FunctionArn", output=True),
        "invokeArn": Field(output=True),
        "version": Field(output=True),
        "tags": Field(form=Map()),
        "tagsAll": TAGS["tagsAll"],
    }

    def create(self, inputs: Props) -> str:
        """Make it."""
        return str(self.send(inputs)["FunctionName"])

    def find(self, id: str) -> Props | None:
        """The function, the digest of its code, its tags."""
        answer = self.ask("GetFunction", FunctionName=id)
        if answer is None:
            return None
        made = answer["Configuration"]
        invoked = f"arn:aws:apigateway:{self.session.region}:lambda:path/2015-03-31/functions/{made['FunctionArn']}"
        return self.told(
            made | {"Code": made["CodeSha256"], "Tags": answer.get("Tags")},
            description=made.get("Description") or None,
            kmsKeyArn=made.get("KMSKeyArn") or None,
            invokeArn=f"{invoked}/invocations",
        )

    def update(self, change: Change) -> None:
        """Its code, its settings, its tags."""
        id, inputs = change.id, change.inputs
        if "code" in change.properties:
            self.call("UpdateFunctionCode", FunctionName=id, ZipFile=content(inputs["code"]))
        if change.properties - {"code", "tags"}:
            request = {"Description": "", "Environment": {"Variables": {}}, "KMSKeyArn": "", **self.request(inputs)}
            kept = {key: value for key, value in request.items() if key not in ("Code", "Tags")}
            operation = "UpdateFunctionConfiguration"
            self.call(operation, **self.whole(kept, operation))
        if "tags" in change.properties:
            arn = self.call("GetFunction", FunctionName=id)["Configuration"]["FunctionArn"]
            _TAGGING.put(self.session, arn, inputs.get("tags"))

    def delete(self, known: Known) -> None:
        """Delete it."""
        self.call("DeleteFunction", FunctionName=known.id)

    def ids(self) -> Iterable[str]:
        """Every function."""
        return [each["FunctionName"] for each in self.session.pages("lambda", "ListFunctions", "Functions")]


class Permission(ResourceType):
    """Who may call a function. Its id is ``function:statement``."""

    type: ClassVar[str] = "aws:lambda/permission:Permission"
    service: ClassVar[str] = "lambda"
    creates: ClassVar[str] = "AddPermission"
    identity: ClassVar[tuple[str, ...]] = ("function", "statementId")
    named: ClassVar[str] = "statementId"
    gone: ClassVar[tuple[str, ...]] = _GONE
    fields: ClassVar[Fields] = {
        "statementId": Field(replaces=True),
        "function": Field("FunctionName", replaces=True, required=True),
        "action": Field(replaces=True, required=True),
        "principal": Field(replaces=True, required=True),
        "sourceArn": Field(replaces=True),
        "sourceAccount": Field(replaces=True),
    }

    def create(self, inputs: Props) -> str:
        """Add it."""
        self.send(inputs)
        return f"{inputs['function']}:{inputs['statementId']}"

    def _statements(self, function: str) -> list[dict[str, Any]]:
        answer = self.ask("GetPolicy", FunctionName=function)
        statements: list[dict[str, Any]] = [] if answer is None else json.loads(answer["Policy"])["Statement"]
        return statements

    def find(self, id: str) -> Props | None:
        """The statement among those of the function's policy."""
        function, _, name = id.partition(":")
        found = next((each for each in self._statements(function) if each["Sid"] == name), None)
        if found is None:
            return None
        principal, condition = found["Principal"], found.get("Condition", {})
        return {
            "statementId": name,
            "function": function,
            "action": found["Action"],
            "principal": next(iter(principal.values())) if isinstance(principal, dict) else principal,
            "sourceArn": condition.get("ArnLike", {}).get("AWS:SourceArn"),
            "sourceAccount": condition.get("StringEquals", {}).get("AWS:SourceAccount"),
        }

    def delete(self, known: Known) -> None:
        """Take it away."""
        function, _, name = known.id.partition(":")
        self.call("RemovePermission", FunctionName=function, StatementId=name)

    def ids(self) -> Iterator[str]:
        """Of every function, every statement."""
        for each in self.session.pages("lambda", "ListFunctions", "Functions"):
            for statement in self._statements(each["FunctionName"]):
                yield f"{each['FunctionName']}:{statement['Sid']}"


TYPES = (Function, Permission)
