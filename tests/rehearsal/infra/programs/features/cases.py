"""Programs in which each feature of the engine stands alone."""

from typing import Any

import pulumi
from pulumi import Alias, Config, ResourceOptions
from sdk import Box, Note, Shelf, Unheard


class Store(pulumi.ComponentResource):
    """A shelf with boxes."""

    def __init__(self, name: str, config: Config, opts: ResourceOptions | None = None) -> None:
        super().__init__("test:index:Store", name, None, opts)
        below = ResourceOptions(parent=self)
        self.shelf = Shelf(f"{name}-shelf", below, name="main", owner=config.require("owner"))
        self.boxes = [
            Box(f"{name}-box-{number}", below, name=f"box-{number}", shelf=self.shelf.name, size=number)
            for number in range(config.get_int("boxes") or 2)
        ]
        self.register_outputs({"shelf": self.shelf.name})


def store(config: Config) -> None:
    """A component, an output that is unknown at preview, a dependency by property."""
    made = Store("store", config)
    Note("card", text=made.shelf.address.apply(lambda address: f"at {address}"))
    pulumi.export("shelf", made.shelf.name)
    pulumi.export("addresses", [box.address for box in made.boxes])


def lucky(config: Config) -> None:
    """The box needs the shelf, and does not say so."""
    Shelf("shelf", name="main")
    Box("box", shelf="main")


def ordered(config: Config) -> None:
    """The box needs the shelf."""
    Box("box", ResourceOptions(depends_on=[Shelf("shelf", name="main")]), shelf="main")


def renamed(config: Config) -> None:
    """The component has another name, with or without an alias: its children follow it."""
    name = config.require("called")
    aliases = [Alias(name=config.require("once"))] if config.get("once") else []
    Store(name, config, ResourceOptions(aliases=aliases))


def transformed(config: Config) -> None:
    """The stack's transform labels everything; a resource's own transform protects it."""

    def label(seen: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if seen.type_ != "mem:shelf:Shelf":
            return None
        labels = {**seen.props.get("labels", {}), "by": "transform"}
        return pulumi.ResourceTransformResult({**seen.props, "labels": labels}, seen.opts)

    def protect(seen: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
        return pulumi.ResourceTransformResult(
            seen.props, ResourceOptions.merge(seen.opts, ResourceOptions(protect=True))
        )

    def broken(seen: pulumi.ResourceTransformArgs) -> None:
        raise ValueError("the transform is broken")

    pulumi.runtime.register_resource_transform(label)
    Shelf("plain", labels={"of": "ada"})
    Shelf("kept", ResourceOptions(transforms=[protect]), labels={"of": "bob"})
    if config.get_bool("broken"):
        Shelf("broken", ResourceOptions(transforms=[broken]))


def secrets(config: Config) -> None:
    """A secret setting in an input, an output that is secret because the program says so, and an exported secret."""
    shelf = Shelf("shelf", name="main")
    key = config.require_secret("key")
    box = Box("safe", ResourceOptions(additional_secret_outputs=["address"]), shelf=shelf.name, key=key)
    Note("card", text=key.apply(lambda text: f"the key is {text}"))
    if config.get_bool("leak"):
        key.apply(lambda text: pulumi.log.warn(f"do not print {text}"))
        Box("wrong", size=key)
    pulumi.export("key", key)
    pulumi.export("address", box.address)


def protected(config: Config) -> None:
    """Protected, as a setting says."""
    if not config.get_bool("without"):
        keep = config.get_bool("keep")
        Shelf("shelf", ResourceOptions(protect=keep), name=config.get("called") or "main")
    Shelf("other")


def replaced(config: Config) -> None:
    """A shelf's name replaces it; a box stands on it by its name; two notes mention them."""
    shelf = Shelf("shelf", name=config.require("called"))
    box = Box("box", name="the-box", shelf=shelf.name)
    Note("about", text=box.address)
    Note("own-name", box=box.address, onShelf=shelf.name)


def options(config: Config) -> None:
    """Properties that are ignored, or replace; what is kept, and what goes with another."""
    owner = config.require("owner")
    Shelf("ignoring", ResourceOptions(ignore_changes=["owner", "labels.seen"]), owner=owner, labels={"seen": owner})
    Shelf("strict", ResourceOptions(replace_on_changes=["labels.of"]), name=f"strict-{owner}", labels={"of": owner})
    Note("strict-note", ResourceOptions(replace_on_changes=["text"], delete_before_replace=True), name="n", text=owner)
    Note("retained", ResourceOptions(retain_on_delete=True), name="retained")
    shelf = Shelf("below", forceEmpty=True)
    Box("above", ResourceOptions(deleted_with=shelf), shelf=shelf.name)


def files(config: Config) -> None:
    """A text, a file, and an archive of both and a folder."""
    text = config.get("text") or "hello"
    Note("text", name="text", body=pulumi.StringAsset(text))
    Note("file", name="file", body=pulumi.FileAsset("files/line.txt"))
    packed = {
        "hello.txt": pulumi.StringAsset(text),
        "more": pulumi.FileArchive("files"),
    }
    Note("archive", name="archive", body=pulumi.AssetArchive(packed))
    if config.get_bool("remote"):
        Note("remote", body=pulumi.RemoteAsset("https://example.org/file"))


def unheard(config: Config) -> None:
    """A type that no provider has."""
    Shelf("shelf")
    Unheard("lamp")


def wrong(config: Config) -> None:
    """Two properties that the provider refuses."""
    Box("box", shelf="main", size="large", colour="red")


def refused(config: Config) -> None:
    """Options that are not rehearsed."""
    cases: dict[str, ResourceOptions] = {
        "import": ResourceOptions(import_="main"),
        "hide_diffs": ResourceOptions(hide_diffs=["owner"]),
        "url": ResourceOptions(plugin_download_url="https://example.org"),
    }
    Shelf("shelf", cases[config.require("option")], owner="ada")


def referring(config: Config) -> None:
    """Another stack's outputs."""
    other = pulumi.StackReference(config.require("other"))
    Shelf("shelf", owner=other.require_output("shelf"))


def reading(config: Config) -> None:
    """A resource that somebody else made."""
    there: Any = Shelf("there", ResourceOptions(id=config.require("id")))
    Shelf("mine", owner=there.owner if hasattr(there, "owner") else there.address)


def asking(config: Config) -> None:
    """A function of the provider."""
    token = config.get("token") or "mem:index:sum"
    answer = pulumi.runtime.invoke(token, {"numbers": [1, 2, 3]}).value
    pulumi.export("sum", answer["sum"])


def failing(config: Config) -> None:
    """The program's own mistake, after it has registered something."""
    Shelf("shelf")
    raise KeyError(config.require("what"))


def twice(config: Config) -> None:
    """Two resources of one name."""
    Shelf("shelf", name="one")
    Shelf("shelf", name="two")
