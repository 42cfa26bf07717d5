"""How Sphinx builds these documents into a site; `make docs` runs it with warnings as errors."""

import re
from collections.abc import Iterator
from typing import Final

from sphinx.application import Sphinx

project = "Orderflow"
html_title = "Orderflow"
html_theme = "furo"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False

extensions = ["myst_parser"]
nitpicky = True
# Headings down to this level can be linked to, by the anchors that a repository's page gives them.
myst_heading_anchors = 3

OVERVIEWS: Final = ("index", "adr/README")
LINK: Final = re.compile(r"\]\(([^):#]+)\.md\)")


def setup(app: Sphinx) -> None:
    """Make the site's navigation of the links of the overviews, so that they are written once."""
    app.connect("source-read", _add_navigation)


def _add_navigation(_app: Sphinx, document: str, source: list[str]) -> None:
    if document in OVERVIEWS:
        source[0] += "".join(_navigation(source[0]))


def _navigation(text: str) -> Iterator[str]:
    for section in text.split("\n## "):
        heading, _, body = section.partition("\n")
        caption = "" if heading.startswith("#") else f":caption: {heading}\n"
        if links := LINK.findall(body):
            listed = "\n".join(links)
            yield f"\n\n```{{toctree}}\n:hidden:\n{caption}\n{listed}\n```\n"
