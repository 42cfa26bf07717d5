"""Commands about users, who sign in to the pages, and their roles."""

from typing import Annotated

import typer

from orderflow_cli import accounts, passwords, show
from orderflow_cli.access_file import AccessStore
from orderflow_cli.app import AsJson, app
from orderflow_cli.credentials import access_path
from orderflow_contracts.access import Role

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user name.")]
RolesOption = Annotated[
    list[Role], typer.Option("--role", help="A role; repeatable.", show_default=False)
]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
Generate = Annotated[bool, typer.Option("--generate", help="Generate a password, and print it.")]

users = typer.Typer(
    no_args_is_help=True,
    help="Manage who may sign in to the pages. Changes take effect immediately.",
)
app.add_typer(users, name="users")


@users.command(short_help="Add a user.")
def add(
    *,
    name: Name,
    role: Annotated[
        list[Role] | None,
        typer.Option(help="A role; repeatable.", show_default="viewer"),
    ] = None,
    password_stdin: FromStdin = False,
    generate: Generate = False,
) -> None:
    """Add a user with roles, prompting twice for a password.

    Viewers can see everything but the audit trail; approvers can also approve and deny orders;
    operators can also do everything else, but not approve or deny.
    """
    roles, store = role or [Role.VIEWER], _store()
    accounts.require_new_user(store.read(), accounts.valid_name(name))
    password = _new_password(name, from_stdin=password_stdin, generate=generate)
    password_hash = passwords.hash_password(password)
    store.change(lambda file: accounts.with_user(file, name, roles, password_hash))
    if generate:
        print(password)
    show.note(f"{name} may sign in as {_listed(roles)}: {store.path}")


@users.command("list", short_help="List users.")
def list_users(*, as_json: AsJson = False) -> None:
    """List users and their roles."""
    found = _store().read().users
    if as_json:
        show.as_json({"items": [{"name": user.name, "roles": user.roles} for user in found]})
        return
    table = show.new_table("name", "roles")
    for user in found:
        table.add_row(show.cell(user.name), ", ".join(user.roles))
    show.print_table(
        table, empty=None if found else "No users yet; add one with `orderflow users add`."
    )


@users.command(short_help="Remove a user.")
def remove(*, name: Name) -> None:
    """Remove a user, who is signed out immediately; tokens with the same name remain valid."""
    former = _store().change(lambda file: accounts.without_user(file, name))
    show.note(f"{name} can no longer sign in.")
    left = sum(token.name == name for token in former.tokens)
    if left:
        show.note(
            f"Tokens with that name are still valid ({left}): `orderflow tokens remove {name}`"
        )


@users.command(short_help="Change a user's password.")
def password(*, name: Name, password_stdin: FromStdin = False, generate: Generate = False) -> None:
    """Change a user's password, prompting for it twice."""
    store = _store()
    accounts.find_user(store.read(), name)
    new = _new_password(name, from_stdin=password_stdin, generate=generate)
    password_hash = passwords.hash_password(new)
    store.change(lambda file: accounts.with_changed_user(file, name, password_hash=password_hash))
    if generate:
        print(new)
    show.note(f"The password of {name} was changed.")


@users.command(short_help="Change a user's roles.")
def roles(*, name: Name, role: RolesOption) -> None:
    """Replace a user's roles; this takes effect immediately."""
    _store().change(lambda file: accounts.with_changed_user(file, name, roles=tuple(role)))
    show.note(f"{name} is now {_listed(role)}.")


def _new_password(name: str, *, from_stdin: bool, generate: bool) -> str:
    if from_stdin and generate:
        raise typer.BadParameter("use either --password-stdin or --generate, not both")
    if generate:
        return passwords.generate()
    return passwords.read_from_stdin() if from_stdin else passwords.prompt(name)


def _listed(roles: list[Role]) -> str:
    return " and ".join(role.value for role in Role if role in roles)


def _store() -> AccessStore:
    return AccessStore(access_path())
