"""`search`: questions in SQL, or as filters, to the metadata of everything that is built, or to the catalog's cards."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from covid_datasets.catalog.overview import list_datasets
from covid_datasets.catalog.taxonomy import UnknownFindingError, classify, finding_names
from covid_datasets.errors import UsageError, did_you_mean, not_one_of
from covid_datasets.extras import need
from covid_datasets.load.filters import CLOSED, Condition, check_filters
from covid_datasets.load.found import Found
from covid_datasets.load.licences import check_licence
from covid_datasets.load.metadata import (
    FINDING,
    OF_BUILD,
    SEARCHABLE,
    Library,
    find_library,
    library_table,
    no_samples,
    plain,
    samples,
    tables_of_own,
    views_table,
)
from covid_datasets.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLES, CARDS, BUILDS, VIEWS = "samples", "cards", "builds", "views"
SAFE: Mapping[str, Any] = {
    "enable_external_access": False,  # no file is read or written, no extension loaded
    "python_enable_replacements": False,  # nor a variable of the caller's program
    "temp_directory": "",  # nor written where memory is short
    "threads": 1,  # so that rows without an order, and sums, are the same every time
    "lock_configuration": True,
}
"""Settings of the database, so that a query that somebody else wrote can do nothing but look at these tables."""
_WHOLE = re.compile(r"[\s(]*(select|with|from|values|describe|summarize|show|table|pivot|unpivot)\b", re.IGNORECASE)
_NO_COLUMN = re.compile(r'Referenced column "([^"]*)" not found|does not have a column named "([^"]*)"')
_NO_TABLE = re.compile(r"Table with name (\S+) does not exist")
_ABOUT_SCHEMA = {"describe", "summarize", "show", "duckdb_columns", "pragma_table_info", "information_schema"}
"""Words of statements that ask which columns there are, so that none may be left out."""
_COMPARED = re.compile(r"\b(\w+)\s*(?:=|==|<>|!=)\s*'([^']*)'")


def search(
    query: str = "",
    /,
    *,
    cards: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    **filters: Any,
) -> Found:
    """Search the harmonised metadata of everything that is built, or the cards of all sources.

    Pictures are never read. The tables are ``samples`` (a row for each picture, volume or video), ``cards`` (a row for
    each source that is known), ``builds`` (a row for each finished build), ``views`` (a row for each view of one, whose
    samples are those of the build), and each built table without images by the id of its source. In ``samples`` there
    are all stored columns, ``finding`` (the label as text, "COVID-19"), and ``version``, ``config`` and ``split``;
    ``label`` is the id of the class ("covid19").

    Args:
        query: In SQL, as DuckDB speaks it: the condition of a ``WHERE``, or a whole ``SELECT``. It can read these
            tables and nothing else. Empty for all rows.
        cards: Search the cards, and open no build.
        cache_dir: Where the builds are.
        **filters: Keep rows by column, as in `load_dataset`: ``modality="CXR"``, ``age=(60, None)``,
            ``finding="COVID-19"``. They choose the rows that a query is asked about.

    Returns:
        A table with ``to_arrow``, ``to_pandas``, ``to_csv`` and ``to_parquet``; each row is a dictionary. Builds that
        are damaged or of another release are left out, with a warning, and are in its ``left_out``.

    In SQL: ``search("finding = 'COVID-19' AND age > 60")``, or
    ``search("SELECT finding, count(*) AS n FROM samples GROUP BY ALL")``. As filters:

    >>> search(access="open", modalities="US", cards=True).column("id").to_pylist()
    ['pocus']
    """
    if not isinstance(query, str):
        raise UsageError(f"query: expected SQL as text, such as \"finding = 'COVID-19' AND age > 60\", found {query!r}")
    about = CARDS if cards else SAMPLES
    conditions = _of_cards(filters) if cards else _of_samples(filters)
    if not query.strip() and about == CARDS:
        return Found(_cards(conditions))
    if not query.strip():
        library = find_library(Settings.resolve(cache_dir).prepared)
        _tell(library.left_out)
        return Found(plain(samples(library, conditions=conditions)), library.left_out)
    need("duckdb")
    import duckdb

    with duckdb.connect(":memory:", config=dict(SAFE)) as database:
        try:
            statement = _statement(database, query, about)
        except duckdb.Error as error:
            raise UsageError(f"query: {_first_lines(error)}") from error
        wanted = _tables_in(database, statement)
        tables: dict[str, pa.Table] = {CARDS: _cards(conditions if cards else [])} if CARDS in wanted else {}
        left_out: Mapping[Any, str] = {}
        if VIEWS in wanted:
            tables[VIEWS], left_out = views_table(Settings.resolve(cache_dir).prepared)
            _tell(left_out)
        if wanted - {CARDS, VIEWS}:
            columns = _columns_in(database, statement, tables) if SAMPLES in wanted else ()
            filtered = [] if cards else conditions
            library = find_library(Settings.resolve(cache_dir).prepared, {*columns, *(each.name for each in filtered)})
            left_out = {**left_out, **library.left_out}
            _tell(library.left_out)
            if SAMPLES in wanted:
                tables[SAMPLES] = samples(library, columns, filtered)
            tables |= {BUILDS: library_table(library), **tables_of_own(library)}
        for name, table in tables.items():
            database.register(name, table)
        try:
            found = database.sql(statement).to_arrow_table()
        except duckdb.Error as error:
            raise _said(error, tables) from error
    if not found.num_rows:
        _tell_of_slips(query)
    return Found(found, left_out)


def _statement(database: DuckDBPyConnection, query: str, about: str) -> str:
    """Return the one statement that a query is: itself, or what a condition of a WHERE asks for."""
    import duckdb

    try:
        statements = database.extract_statements(query)
    except duckdb.ParserException:
        if _WHOLE.match(query):
            raise
        condition = re.sub(r"^\s*where\b", "", query, flags=re.IGNORECASE)
        query = f"SELECT * FROM {about} WHERE {condition}"  # noqa: S608 - it is meant to be theirs, and can only look
        statements = database.extract_statements(query)
    if len(statements) != 1:
        raise UsageError(f"query: expected one statement, found {len(statements)}")
    if statements[0].type != duckdb.StatementType.SELECT:
        kind = str(statements[0].type).rpartition(".")[2]
        raise UsageError(f"query: expected a condition or a SELECT, which only read, found {kind}")
    return query


def _tables_in(database: DuckDBPyConnection, statement: str) -> set[str]:
    """Name the tables that a statement reads, so that no other one is opened."""
    import duckdb

    try:
        return {name.strip('"').lower() for name in database.get_table_names(statement)}
    except duckdb.Error:  # it cannot always tell before the tables are there; what is wrong is said when it runs
        return {SAMPLES, CARDS, BUILDS, VIEWS}


def _columns_in(database: DuckDBPyConnection, statement: str, tables: Mapping[str, pa.Table]) -> Collection[str]:
    """Name the columns of ``samples`` that a statement needs, and perhaps more: all that its plan or its text names.

    The plan is made for a table without rows, so nothing is opened for it. Where it cannot be made, all are needed.
    """
    import duckdb

    with database.cursor() as trial:
        for name, table in {**tables, SAMPLES: no_samples(), BUILDS: library_table(Library((), (), {}))}.items():
            trial.register(name, table)
        try:
            plan = trial.execute(f"EXPLAIN (FORMAT json) {statement}").fetchall()
        except duckdb.Error:
            return SEARCHABLE
        finally:
            for name in (*tables, SAMPLES, BUILDS):
                trial.unregister(name)
    words = set(re.findall(r"\w+", f"{plan} {statement}".lower()))
    return SEARCHABLE if words & _ABOUT_SCHEMA else [name for name in SEARCHABLE if name in words]


def _of_samples(filters: Mapping[str, Any]) -> list[Condition]:
    """Check filters by the columns of ``samples``, before anything is opened."""
    given = dict(filters)
    conditions: list[Condition] = []
    if "license" in given:
        conditions.append(check_licence(given.pop("license")))
    if FINDING in given:
        if "label" in given:
            raise UsageError("finding, label: expected one of them, which say the same, found both")
        given["label"] = _labels(given.pop(FINDING))
    places = {name: given.pop(name) for name in OF_BUILD if name in given}
    return [*conditions, *check_filters(places, dict.fromkeys(OF_BUILD, "string")), *check_filters(given, {})]


def _labels(wanted: Any) -> list[str | None]:
    """Turn findings, in any spelling that the taxonomy knows, to ids of classes."""
    found: list[str | None] = []
    for each in wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted]:
        try:
            found.append(None if each is None else classify(str(each)))
        except UnknownFindingError as error:
            raise UsageError(
                f"finding={wanted!r}: {not_one_of(each, finding_names())}{did_you_mean(str(each), finding_names())}"
            ) from error
    return found


def _of_cards(filters: Mapping[str, Any]) -> list[Condition]:
    kinds = {field.name: _kind(field.type) for field in list_datasets().schema} if filters else {}
    return [*check_filters(filters, kinds)] if filters else []


def _kind(of: pa.DataType) -> Any:
    return ["string"] if pa.types.is_list(of) else str(of)


def _cards(conditions: Iterable[Condition]) -> pa.Table:
    table = list_datasets()
    for each in conditions:
        table = table.filter(pa.array(each.mask(table)))
    return table


def _tell(left_out: Mapping[Any, str]) -> None:
    for reason in left_out.values():
        warnings.warn(f"left out of the search: {reason}", stacklevel=3)


def _tell_of_slips(query: str) -> None:
    """Warn of a text that no row can have, which is why nothing was found."""
    words = {**CLOSED, FINDING: finding_names()}
    for column, text in _COMPARED.findall(query):
        if (known := words.get(column.lower())) is not None and text not in known:
            warnings.warn(
                f"{column} = {text!r} is true of no row: expected one of {', '.join(known)}{did_you_mean(text, known)}",
                stacklevel=3,
            )


def _said(error: Exception, tables: Mapping[str, pa.Table]) -> UsageError:
    """Say what is wrong with a query, with the nearest right name."""
    text = str(error)
    if found := _NO_TABLE.search(text):
        known = [*dict.fromkeys((SAMPLES, CARDS, BUILDS, VIEWS, *tables))]
        name = found[1].strip("!\"'")
        return UsageError(f"query: expected tables {', '.join(known)}, found {name!r}{did_you_mean(name, known)}")
    if found := _NO_COLUMN.search(text):
        name = found[1] or found[2]
        known = [*dict.fromkeys(column for table in tables.values() for column in table.column_names)]
        if hint := did_you_mean(name, known):
            return UsageError(f"query: expected a column that is there, found {name!r}{hint}")
        quotes = "Text is written in single quotes: 'COVID-19'."
        return UsageError(f"query: expected columns {', '.join(known)}, found {name!r}. {quotes}")
    if "disabled by configuration" in text:
        names = ", ".join(dict.fromkeys((SAMPLES, CARDS, BUILDS, VIEWS, *tables)))
        return UsageError(f"query: expected to read the tables {names}, and no files, found: {_first_lines(error)}")
    return UsageError(f"query: {_first_lines(error)}")


def _first_lines(error: Exception) -> str:
    """Give the words of the database, and the line of the query with the place in it."""
    return " ".join(str(error).split())[:1000]
