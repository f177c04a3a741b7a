"""Texts as they are: what is HTML in one of them is shown, never obeyed, and links lead where they lead on GitHub.

Cards and tables of sources are written by others. Their pages may hold what Markdown makes of text, and no tag: a
``<script>`` in a summary is read as these eight characters. Notebooks are ours, and their outputs are tables and
pictures, so they keep their HTML.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

NOTEBOOKS = "notebooks/"
_TEXTS = (".md", ".rst", ".ipynb")
_ANCHOR = re.compile(r'<a id="(\w+)">(?:</a>)?')


class ShowMarkup(SphinxTransform):
    """Turns HTML into text; a comment is left out, and a place to link to stays one."""

    default_priority = 5

    def apply(self, **_: Any) -> None:
        """Change the document that was just read."""
        if self.env.docname.startswith(NOTEBOOKS):
            return
        for node in list(self.document.findall(nodes.raw)):
            text = node.astext().strip()
            if anchor := _ANCHOR.match(text):
                node.replace_self(self._target(anchor[1]))
            elif text == "</a>" or (text.startswith("<!--") and text.endswith("-->")):
                node.parent.remove(node)
            else:
                shown: nodes.Node = nodes.Text(text)
                block = isinstance(node.parent, nodes.section | nodes.document | nodes.list_item | nodes.block_quote)
                node.replace_self(nodes.paragraph("", "", shown) if block else shown)

    def _target(self, name: str) -> nodes.Node:
        target = nodes.target("", "", ids=[name], names=[name])
        self.document.note_explicit_target(target)
        return target


class LeadToPages(SphinxTransform):
    """Lets a link to a text lead to its page: both lie at the same place."""

    default_priority = 5

    def apply(self, **_: Any) -> None:
        """Change the document that was just read."""
        for node in self.document.findall(nodes.reference):
            parts = urlsplit(node.get("refuri", ""))
            path = PurePosixPath(parts.path)
            if not (parts.scheme or parts.netloc) and path.suffix in _TEXTS:
                node["refuri"] = urlunsplit(parts._replace(path=str(path.with_suffix(".html"))))


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of it."""
    app.add_transform(ShowMarkup)
    app.add_transform(LeadToPages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
