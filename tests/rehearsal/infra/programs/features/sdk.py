"""Classes of the memory cloud's resources, as a generated SDK would have them."""

from typing import Any

import pulumi


class _Thing(pulumi.CustomResource):
    token: str
    name: pulumi.Output[str]
    address: pulumi.Output[str]
    labels: pulumi.Output[Any]

    def __init__(self, called: str, opts: pulumi.ResourceOptions | None = None, **props: Any) -> None:
        super().__init__(self.token, called, {"name": None, "address": None, "labels": None, **props}, opts)


class Shelf(_Thing):
    token = "mem:shelf:Shelf"


class Box(_Thing):
    token = "mem:box:Box"


class Note(_Thing):
    token = "mem:note:Note"


class Unheard(_Thing):
    token = "mem:lamp:Lamp"
