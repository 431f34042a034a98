"""A shelf with boxes and a note, in a component."""

import pulumi

config = pulumi.Config()


class Shelf(pulumi.CustomResource):
    name: pulumi.Output[str]
    address: pulumi.Output[str]

    def __init__(self, name, props, opts=None):
        super().__init__("mem:shelf:Shelf", name, {"name": None, "address": None, **props}, opts)


class Box(pulumi.CustomResource):
    name: pulumi.Output[str]
    address: pulumi.Output[str]

    def __init__(self, name, props, opts=None):
        super().__init__("mem:box:Box", name, {"name": None, "address": None, **props}, opts)


class Store(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("test:index:Store", name)
        below = pulumi.ResourceOptions(parent=self)
        self.shelf = Shelf(f"{name}-shelf", {"owner": config.require("owner")}, below)
        self.boxes = [
            Box(f"{name}-box-{n}", {"shelf": self.shelf.name, "size": n, "labels": {"of": self.shelf.address}}, below)
            for n in range(config.get_int("boxes") or 2)
        ]
        self.register_outputs({"shelf": self.shelf.name})


store = Store("store")
pulumi.export("shelf", store.shelf.name)
pulumi.export("addresses", [box.address for box in store.boxes])
