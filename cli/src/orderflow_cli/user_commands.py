"""Commands about users: who may sign in to the pages, and what for."""

from typing import Annotated

import typer

from orderflow_cli import accounts, passwords, show
from orderflow_cli.access_file import AccessStore
from orderflow_cli.app import AsJson, app
from orderflow_cli.credentials import access_path
from orderflow_contracts.access import Role

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
RolesOption = Annotated[
    list[Role], typer.Option("--role", help="What for; repeatable.", show_default=False)
]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password, and print it.")]

users = typer.Typer(
    no_args_is_help=True,
    help="Say who may sign in to the pages. The services take a change at once.",
)
app.add_typer(users, name="users")


@users.command(short_help="Add a user.")
def add(
    *,
    name: Name,
    role: Annotated[
        list[Role] | None,
        typer.Option(help="What for; repeatable.", show_default="viewer"),
    ] = None,
    password_stdin: FromStdin = False,
    generate: Generate = False,
) -> None:
    """Add a user with roles; the password is asked for, twice.

    A viewer looks; an approver looks and decides; an operator looks, and does all else.
    """
    roles, store = role or [Role.VIEWER], _store()
    accounts.must_be_new(store.read(), accounts.possible_name(name))
    password = _new_password(name, from_stdin=password_stdin, generate=generate)
    kept = passwords.hashed(password)
    store.change(lambda file: accounts.with_user(file, name, roles, kept))
    if generate:
        print(password)
    show.explain(f"{name} may sign in as {_listed(roles)}: {store.path}")


@users.command("list", short_help="List users.")
def list_users(*, as_json: AsJson = False) -> None:
    """List users and what they are there for."""
    found = _store().read().users
    if as_json:
        show.as_json({"items": [{"name": user.name, "roles": user.roles} for user in found]})
        return
    table = show.new_table("name", "roles")
    for user in found:
        table.add_row(show.cell(user.name), ", ".join(user.roles))
    show.print_table(
        table, empty=None if found else "There is no user; `orderflow users add` adds one."
    )


@users.command(short_help="Remove a user.")
def remove(*, name: Name) -> None:
    """Remove a user, who is signed out at once; tokens of that name are something else."""
    former = _store().change(lambda file: accounts.without_user(file, name))
    show.explain(f"{name} may sign in no more.")
    left = sum(token.name == name for token in former.tokens)
    if left:
        show.explain(
            f"Tokens of that name go on to count ({left}): `orderflow tokens remove {name}`"
        )


@users.command(short_help="Give a user another password.")
def password(*, name: Name, password_stdin: FromStdin = False, generate: Generate = False) -> None:
    """Give a user another password; it is asked for, twice."""
    store = _store()
    accounts.user_of(store.read(), name)
    new = _new_password(name, from_stdin=password_stdin, generate=generate)
    kept = passwords.hashed(new)
    store.change(lambda file: accounts.with_changed_user(file, name, password_hash=kept))
    if generate:
        print(new)
    show.explain(f"{name} has another password.")


@users.command(short_help="Give a user other roles.")
def roles(*, name: Name, role: RolesOption) -> None:
    """Give a user these roles in place of the former ones, at once."""
    _store().change(lambda file: accounts.with_changed_user(file, name, roles=tuple(role)))
    show.explain(f"{name} is {_listed(role)} from now on.")


def _new_password(name: str, *, from_stdin: bool, generate: bool) -> str:
    if from_stdin and generate:
        raise typer.BadParameter("--password-stdin and --generate exclude each other")
    if generate:
        return passwords.made()
    return passwords.piped() if from_stdin else passwords.asked(name)


def _listed(roles: list[Role]) -> str:
    return " and ".join(role.value for role in Role if role in roles)


def _store() -> AccessStore:
    return AccessStore(access_path())
