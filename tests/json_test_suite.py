"""The texts of the public JSONTestSuite; see `data/README.md`."""

from pathlib import Path
from zipfile import ZipFile

_ARCHIVE = Path(__file__).parent / "data" / "json_test_suite.zip"
_FOLDER = "test_parsing/"
AMBIGUOUS = {"y_object_duplicated_key", "y_object_duplicated_key_and_value"}
"""JSON, but two readers may understand it differently."""
READ_EITHER_WAY = {
    "i_number_double_huge_neg_exp": 0.0,
    "i_number_real_underflow": 0.0,
    "i_number_too_big_neg_int": -123123123123123123123123123123,
    "i_number_too_big_pos_int": 100000000000000000000,
    "i_number_very_big_negative_int": -237462374673276894279832749832423479823246327846,
}
"""What a reader may refuse, and this one reads."""


def parsing_texts() -> dict[str, bytes]:
    """Return the texts by name; the name begins with y_, n_ or i_."""
    with ZipFile(_ARCHIVE) as archive:
        return {
            name.removeprefix(_FOLDER).removesuffix(".json"): archive.read(name)
            for name in archive.namelist()
            if name.startswith(_FOLDER)
        }
