"""Commands about tokens, which programs use to call the services' APIs."""

from typing import Annotated

import typer

from orderflow_cli import accounts, show
from orderflow_cli.access_file import AccessStore
from orderflow_cli.app import AsJson, app
from orderflow_cli.credentials import VARIABLE, access_path
from orderflow_cli.user_commands import RolesOption
from orderflow_contracts.access import new_token

tokens = typer.Typer(
    no_args_is_help=True,
    help="Manage which programs may use the APIs. Changes take effect immediately.",
)
app.add_typer(tokens, name="tokens")


@tokens.command(short_help="Create a token.")
def add(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name that it acts for.")],
    role: RolesOption,
) -> None:
    """Create a token and print it once: only its digest is stored."""
    store, secret = AccessStore(access_path()), new_token()
    store.change(lambda file: accounts.with_token(file, name, role, secret))
    print(secret, flush=True)
    show.note(
        f"This token acts for {name} and is shown only once: store it where nobody else can read "
        f"it. Pass it to `orderflow` in {VARIABLE}, and in other programs as the header "
        "`Authorization: Bearer <token>`."
    )


@tokens.command("list", short_help="List tokens.")
def list_tokens(*, as_json: AsJson = False) -> None:
    """List the names and roles of tokens, but not the tokens themselves."""
    found = AccessStore(access_path()).read().tokens
    if as_json:
        items = [
            {"id": accounts.token_id(token), **token.model_dump(mode="json", exclude={"sha256"})}
            for token in found
        ]
        show.as_json({"items": items})
        return
    table = show.new_table("id", "name", "roles", "created")
    for token in found:
        table.add_row(
            accounts.token_id(token),
            show.cell(token.name),
            ", ".join(token.roles),
            show.cell(show.moment(token.created_at)),
        )
    show.print_table(
        table, empty=None if found else "No tokens yet; create one with `orderflow tokens add`."
    )


@tokens.command(short_help="Remove a token.")
def remove(
    *,
    name_or_id: Annotated[
        str, typer.Argument(metavar="NAME|ID", help="A name, for all its tokens, or a token's ID.")
    ],
) -> None:
    """Remove tokens, which become invalid immediately."""
    store = AccessStore(access_path())
    former = store.change(
        lambda file: accounts.without_tokens(file, accounts.find_tokens(file, name_or_id))
    )
    for token in accounts.find_tokens(former, name_or_id):
        show.note(f"Token {accounts.token_id(token)} of {token.name} is no longer valid.")
