"""Commands about tokens: what programs show to the APIs of the services."""

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
    help="Say which programs may use the APIs. The services take a change at once.",
)
app.add_typer(tokens, name="tokens")


@tokens.command(short_help="Make a token.")
def add(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="In whose name it acts.")],
    role: RolesOption,
) -> None:
    """Make a token and print it, this once: only its digest is kept."""
    store, secret = AccessStore(access_path()), new_token()
    store.change(lambda file: accounts.with_token(file, name, role, secret))
    print(secret, flush=True)
    show.explain(
        f"This token acts in the name of {name}. It is shown this once: keep it where nobody else "
        f"reads it, and give it to `orderflow` by {VARIABLE}, to other programs as the header "
        "`Authorization: Bearer <token>`."
    )


@tokens.command("list", short_help="List tokens.")
def list_tokens(*, as_json: AsJson = False) -> None:
    """List tokens: not themselves, but in whose name they act, and what for."""
    found = AccessStore(access_path()).read().tokens
    if as_json:
        items = [
            {"id": accounts.token_id(token), **token.model_dump(mode="json", exclude={"sha256"})}
            for token in found
        ]
        show.as_json({"items": items})
        return
    table = show.new_table("id", "name", "roles", "made")
    for token in found:
        table.add_row(
            accounts.token_id(token),
            show.cell(token.name),
            ", ".join(token.roles),
            show.cell(show.moment(token.created_at)),
        )
    show.print_table(
        table, empty=None if found else "There is no token; `orderflow tokens add` makes one."
    )


@tokens.command(short_help="Remove a token.")
def remove(
    *,
    name_or_id: Annotated[
        str, typer.Argument(metavar="NAME|ID", help="All tokens of a name, or the one with an id.")
    ],
) -> None:
    """Remove tokens, which count no more at once."""
    store = AccessStore(access_path())
    former = store.change(
        lambda file: accounts.without_tokens(file, accounts.chosen_tokens(file, name_or_id))
    )
    for token in accounts.chosen_tokens(former, name_or_id):
        show.explain(f"Token {accounts.token_id(token)} of {token.name} counts no more.")
