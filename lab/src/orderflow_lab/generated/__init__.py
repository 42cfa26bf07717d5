"""Writes the files that follow from the declarations of the services, `names.SERVICES`."""

from orderflow_lab.generated.files import files, outdated, write

__all__ = ["files", "outdated", "write"]
