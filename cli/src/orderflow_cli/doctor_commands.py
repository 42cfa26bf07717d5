"""The command that compares everything, and heals what disagrees."""

from collections.abc import Iterable
from typing import Annotated, Final

import typer
from rich.text import Text

from orderflow_cli import show
from orderflow_cli.app import AsJson, app, services
from orderflow_cli.show import cell, console
from orderflow_cli.terminal import clean
from orderflow_contracts.doctor import KINDS, Diagnosis, Finding, Treatment

DISAGREES: Final = 5
"""Exit code when something disagrees."""


@app.command(short_help="Find what disagrees, and heal it.")
def doctor(
    *,
    order_id: Annotated[
        str | None, typer.Option("--order-id", metavar="ID", help="Only what is about this order.")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Heal what it is safe to heal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the records with engine, stock, payments, approvals, tasks and events.

    Prints what disagrees, with what it means and what helps; exits with 0 only if all agrees. The
    services heal most of it by themselves within a minute; `--fix` does it now.
    """
    with services() as flow:
        result = flow.fix(order_id) if fix else flow.diagnose(order_id)
    if as_json:
        show.as_json(result)
    elif isinstance(result, Treatment):
        _print_treatment(result)
    else:
        _print_diagnosis(result)
    if not result.agrees:
        raise typer.Exit(DISAGREES)


def _print_diagnosis(diagnosis: Diagnosis) -> None:
    if diagnosis.agrees:
        print("Everything agrees.")
        return
    _print_findings(diagnosis.findings)
    print(f"{len(diagnosis.findings)} found. Heal what is safe with `orderflow doctor --fix`.")


def _print_treatment(treatment: Treatment) -> None:
    for finding in treatment.healed:
        print(f"Healed: {clean(finding.about)}: {clean(finding.detail)} ({clean(finding.kind)})")
    _print_findings(treatment.left)
    if treatment.left or treatment.healed:
        print(f"{len(treatment.healed)} healed, {len(treatment.left)} left.")
    else:
        print("Everything agrees.")


def _print_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        kind = KINDS.get(finding.kind)  # a newer service may know more kinds
        console().print(Text.assemble((clean(finding.kind), "bold"), "  ", cell(finding.about)))
        for line in (finding.detail, kind.meaning if kind else "", finding.remedy):
            if line:
                console().print(Text.assemble("  ", cell(line)))
