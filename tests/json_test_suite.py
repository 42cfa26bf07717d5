"""The texts of the public JSONTestSuite; see `data/README.md`."""

from pathlib import Path
from zipfile import ZipFile

_ARCHIVE = Path(__file__).parent / "data" / "json_test_suite.zip"
_FOLDER = "test_parsing/"


def parsing_texts() -> dict[str, bytes]:
    """Return the texts by name; the name begins with y_, n_ or i_."""
    with ZipFile(_ARCHIVE) as archive:
        return {
            name.removeprefix(_FOLDER).removesuffix(".json"): archive.read(name)
            for name in archive.namelist()
            if name.startswith(_FOLDER)
        }
