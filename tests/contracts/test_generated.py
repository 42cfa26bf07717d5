"""The generated files of this checkout are those that the declarations of the services make."""

from orderflow_lab import generated
from service_code import ROOT


def test_the_generated_files_are_current() -> None:
    """After a change of a declaration, `make generate` has been run."""
    assert generated.outdated(ROOT) == []
