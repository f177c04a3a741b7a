"""Markdown in a terminal, with nothing cut off."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, TableElement
from rich.table import Table


class FoldedTable(TableElement):
    """A table whose long words, such as paths, go on in the next line; rich ends them with an ellipsis."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the table of rich, folded."""
        for drawn in super().__rich_console__(console, options):
            if isinstance(drawn, Table):
                for column in drawn.columns:
                    column.overflow = "fold"
            yield drawn


class Rendered(Markdown):
    """Markdown with such tables."""

    elements = Markdown.elements | {"table_open": FoldedTable}
