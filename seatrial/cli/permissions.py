"""``seatrial permissions``: what each role of a stack may do, derived from the project, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from seatrial import project
from seatrial.cli.output import console, print_json
from seatrial.cli.target import StackOption
from seatrial.errors import UsageError

if TYPE_CHECKING:
    from seatrial.clouds.aws.permissions import Grant, Permissions, Place

_PREFIX, _REGION, _ACCOUNT = "prefix", "us-east-1", "000000000000"


def permissions(
    model: Annotated[str | None, typer.Argument(help="Only what this model needs; default: all models.")] = None,
    cloud: Annotated[str, typer.Option("--cloud", help="Whose permissions: aws.")] = "aws",
    stack: StackOption = None,
    role: Annotated[str | None, typer.Option("--role", help="Only this role, such as release.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print policy documents, by role, for machines.")] = False,
) -> None:
    """Show what each role needs: actions, resources, conditions, and why. Nothing is asked of the cloud.

    Derived from the compiled pipelines and from the calls that adapters declare. `infra/aws` grants the same.
    """
    if cloud != "aws":
        raise UsageError(
            f"there are no permissions for '{cloud}'",
            why="They are derived for AWS; on this machine nobody is asked for any.",
            todo="Leave --cloud out, or name aws.",
        )
    from seatrial.clouds.aws.permissions import ROLES, derive

    if role is not None and role not in ROLES:
        raise UsageError(
            f"there is no role '{role}'", why=f"Roles: {', '.join(ROLES)}.", todo="Name one of those with --role."
        )
    opened = project.load()
    place, of_a_stack = _place(opened, stack)
    derived = derive(opened, [model] if model is not None else opened.models(), place)
    wanted = [each for each in derived.roles() if role in (None, each)]
    if as_json:
        print_json({each: derived.policy(each) for each in wanted})
        return
    out = console()
    if not of_a_stack:
        out.print(
            f" [dim]no stack is known here: '{_PREFIX}', {_REGION} and {_ACCOUNT} stand for what one would say[/]"
        )
    for each in wanted:
        out.print(f"\n [bold]{escape(place.role_name(each))}[/]")
        for grant in derived.of(each):
            _print(grant, place)
    if role is not None and not wanted:
        out.print(f" role {role} needs nothing: no job of this project runs as it")
    out.print(f"\n {_figures(derived)}")


def _place(opened: project.Project, stack: str | None) -> tuple[Place, bool]:
    from seatrial.clouds.aws.permissions import Place, place_of
    from seatrial.clouds.aws.stack import load_stack

    if stack is None and not project.knows_stacks("aws", opened.state):
        repository = f"arn:aws:ecr:{_REGION}:{_ACCOUNT}:repository/{_PREFIX}"
        return Place("aws", _REGION, _ACCOUNT, _PREFIX, f"{_PREFIX}-bucket", "", None, repository, network=False), False
    return place_of(load_stack(opened.state, stack)), True


def _print(grant: Grant, place: Place) -> None:
    out = console()
    out.print(f"   {escape(grant.why)}")
    out.print(f"     [cyan]{escape(' '.join(grant.actions))}[/]")
    for resource in grant.resources:
        out.print(f"       {escape(_shown(resource, place))}", style="dim")
    for operator, keys in grant.condition.items():
        for key, values in keys.items():
            out.print(f"       if {escape(f'{key} {operator} {chr(32).join(values)}')}", style="dim")
    for reason in (grant.star_reason, grant.unused_reason):
        if reason:
            out.print(f"       ({escape(reason)})", style="dim")


def _shown(resource: str, place: Place) -> str:
    """An ARN as short as it stays clear: what is in the stack's own account and region needs no saying."""
    return resource.removeprefix(f"arn:{place.partition}:").replace(f":{place.region}:{place.account}:", ":", 1)


def _figures(derived: Permissions) -> str:
    stars = sum("*" in grant.resources for grant in derived.grants)
    actions: set[tuple[Any, str]] = {(grant.role, action) for grant in derived.grants for action in grant.actions}
    return (
        f"{len(derived.roles())} roles, {len(derived.grants)} grants, {len(actions)} actions; 0 wildcard actions,"
        f" {stars} grants on '*', each with its reason"
    )
