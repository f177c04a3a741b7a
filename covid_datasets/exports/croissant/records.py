"""The record sets of a description: splits, labels, and one record for each row, from the columns of its Parquet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from covid_datasets.catalog.taxonomy import load_taxonomy
from covid_datasets.exports.croissant.files import identifier
from covid_datasets.exports.croissant.vocabulary import SPLITS

if TYPE_CHECKING:
    import pyarrow as pa

Node = dict[str, Any]

SAMPLES = "samples"
JOINED_BYTES = 256 << 20
"""Up to this size the field `split` refers to the record set of the splits, as the specification has it.

`mlcroissant` joins what refers to each other, and reads every shard before the first record comes; without a reference
it reads one shard after the other, which is the only way that works where they do not fit into memory. It joins no more
than two record sets in one, and then filters by neither: so the label is said to be an index, and refers to nothing.
"""
SAME_AS = {"license": "sc:license", "source_url": "prov:hadPrimarySource", "doi": "prov:hadPrimarySource"}
"""Columns that say of each row what a description says of the whole."""
OF_LABELS = "An index of the record set labels; null where nobody stated a label."


def splits_set(names: Iterable[str], rows: Mapping[str, int] | None = None) -> Node:
    """Describe the splits; ``rows`` counts their rows where these are known.

    >>> splits_set(["train", "test"])["data"][1]
    {'splits/name': 'test', 'splits/url': 'cr:TestSplit'}
    """
    data: list[Node] = []
    for name in names:
        count = {"splits/rows": rows[name]} if rows else {}
        data.append({"splits/name": name, "splits/url": SPLITS.get(name, "cr:Split"), **count})
    counted = [_inline("splits/rows", "sc:Integer", "How many rows it has.")] if rows else []
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "Patients never straddle splits; covid_datasets audits that.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            _inline("splits/name", "sc:Text", "The name of the split."),
            _inline("splits/url", ["sc:URL", "cr:Split"], "What it is for."),
            *counted,
        ],
        "data": data,
    }


def labels_set(names: Sequence[str], counts: Mapping[str, int] | None = None) -> Node:
    """Describe the classes of the label: the whole number that is stored, its name, and the next wider class.

    >>> labels_set(["no_finding", "covid19"])["data"][1]
    {'labels/index': 1, 'labels/name': 'covid19', 'labels/parent': 'viral_pneumonia'}
    """
    parents = {finding.id: finding.parent for finding in load_taxonomy().classes}
    data: list[Node] = []
    for index, name in enumerate(names):
        count = {"labels/samples": counts.get(name, 0)} if counts else {}
        data.append({"labels/index": index, "labels/name": name, "labels/parent": parents.get(name, ""), **count})
    counted = [_inline("labels/samples", "sc:Integer", "How many samples have it.")] if counts else []
    return {
        "@type": "cr:RecordSet",
        "@id": "labels",
        "name": "labels",
        "description": "The classes of the column label; a sample without a label is null there.",
        "dataType": "sc:Enumeration",
        "key": {"@id": "labels/index"},
        "field": [
            _inline("labels/index", "sc:Integer", "The number that the column label holds."),
            _inline("labels/name", "sc:Text", "The class of the taxonomy."),
            _inline("labels/parent", "sc:Text", "The next wider class; empty where there is none."),
            *counted,
        ],
        "data": data,
    }


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows are: the id of a file set, and the expression that finds the split in the path of a file of it.

    The expression is one that `mlcroissant` can make a glob of: with the filter ``{"samples/split": "test"}`` it opens
    the files of one split.
    """

    files: str
    split: str


def samples_set(
    schema: pa.Schema, labels: Collection[str], rows: Rows, notes: Mapping[str, str], *, joined: bool
) -> Node:
    """Describe a record for each row.

    Args:
        schema: The columns.
        labels: Those of them that hold numbers of classes.
        rows: Where the rows are.
        notes: What is to be known of single columns.
        joined: Whether the split refers to the record set of splits.
    """
    fields = [_split_field(rows, "file_split" if "split" in schema.names else "split", joined)]
    for column in schema:
        source = {"fileSet": {"@id": rows.files}, "extract": {"column": column.name}}
        field = _field(f"{SAMPLES}/{identifier(column.name)}", column.type, source, "")
        if column.name in labels:
            field["dataType"] = ["sc:Integer", "cr:Label"]
            field["description"] = OF_LABELS
        if column.name in SAME_AS:
            field["equivalentProperty"] = SAME_AS[column.name]
        if note := notes.get(column.name, ""):
            whole = note if note.endswith(".") else f"{note}."
            field["description"] = " ".join(filter(None, (field.get("description"), whole)))
        fields.append(field)
    key = {"key": {"@id": f"{SAMPLES}/sample_id"}} if "sample_id" in schema.names else {}
    return {
        "@type": "cr:RecordSet",
        "@id": SAMPLES,
        "name": SAMPLES,
        "description": (
            "A record for each row. Pictures, volumes and masks are not decoded: their 16-bit and Hounsfield values "
            "would not survive a decoder for photographs."
        ),
        **key,
        "field": fields,
    }


def _split_field(rows: Rows, name: str, joined: bool) -> Node:
    return {
        "@type": "cr:Field",
        "@id": f"{SAMPLES}/{name}",
        "name": name,
        "description": "The split, as the name of the file says it: one of the record set splits.",
        "dataType": "sc:Text",
        "source": {
            "fileSet": {"@id": rows.files},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": rows.split},
        },
        **({"references": {"field": {"@id": "splits/name"}}} if joined else {}),
    }


def _field(id: str, kind: pa.DataType, source: Node, path: str) -> Node:
    """Describe a column, or what is inside of one, all the way down to single values."""
    import pyarrow as pa

    node: Node = {"@type": "cr:Field", "@id": id, "name": id.rpartition("/")[2]}
    depth = 0
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    if depth:
        node |= {"isArray": True, "arrayShape": ",".join(["-1"] * depth)}
    if _is_file(kind):
        return node | {
            "description": "The untouched bytes of the file.",
            "dataType": "sc:Text",
            "source": _at(source, f"{path}.bytes" if path else "bytes"),
        }
    if pa.types.is_struct(kind):
        inner = [kind.field(at) for at in range(kind.num_fields)]
        above = f"{path}." if path else ""
        return node | {
            "subField": [_field(f"{id}/{identifier(f.name)}", f.type, source, above + f.name) for f in inner]
        }
    return node | {"dataType": data_type(kind), "source": _at(source, path)}


def _at(source: Node, path: str) -> Node:
    return source | ({"transform": {"jsonPath": path}} if path else {})


def _is_file(kind: pa.DataType) -> bool:
    """Tell whether a column holds files as Hugging Face stores them: their bytes and their name."""
    import pyarrow as pa

    return pa.types.is_struct(kind) and {kind.field(at).name for at in range(kind.num_fields)} == {"bytes", "path"}


def data_type(kind: pa.DataType) -> str:
    """Name a type of Arrow in the words of Croissant.

    >>> import pyarrow as pa
    >>> data_type(pa.int32()), data_type(pa.date32()), data_type(pa.binary())
    ('sc:Integer', 'sc:Date', 'sc:Text')
    """
    import pyarrow as pa

    tests = (
        (pa.types.is_boolean, "sc:Boolean"),
        (pa.types.is_integer, "sc:Integer"),
        (pa.types.is_floating, "sc:Float"),
        (pa.types.is_date, "sc:Date"),
        (pa.types.is_timestamp, "sc:DateTime"),
    )
    return next((name for is_kind, name in tests if is_kind(kind)), "sc:Text")


def _inline(id: str, kind: str | list[str], what: str) -> Node:
    name = id.rpartition("/")[2]
    return {"@type": "cr:Field", "@id": id, "name": name, "description": what, "dataType": kind}
