"""Update the pages of `docs/reference` from the code."""

from reference_pages.pages import FOLDER, PAGES

for name, write in PAGES.items():
    (FOLDER / name).write_text(write(), encoding="utf-8")
