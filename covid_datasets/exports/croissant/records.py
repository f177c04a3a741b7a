"""The record sets of a description: splits, labels, and one record for each row, from the columns of its Parquet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from covid_datasets.catalog.taxonomy import load_taxonomy
from covid_datasets.exports.croissant.vocabulary import SPLITS

if TYPE_CHECKING:
    import pyarrow as pa

Node = dict[str, Any]

SAMPLES = "samples"
PARQUET = "parquet"
"""The ids of the record set of the rows, and of the set of files that holds them."""
JOINED_BYTES = 256 << 20
"""Up to this size the field `split` refers to the record set of the splits, as the specification has it.

`mlcroissant` joins what refers to each other, and reads every shard before the first record comes; without a reference
it reads one shard after the other, which is the only way that works where they do not fit into memory. It joins no more
than two record sets in one, and then filters by neither: so the label is said to be an index, and refers to nothing.
"""
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


def samples_set(
    schema: pa.Schema, labels: Collection[str], folder: str, notes: Mapping[str, str], *, joined: bool
) -> Node:
    """Describe a record for each row of the Parquet files of the file set `PARQUET`.

    Args:
        schema: The columns.
        labels: Those of them that hold numbers of classes.
        folder: Where the shards are, with a slash; empty where they lie beside the description.
        notes: What is to be known of single columns.
        joined: Whether the split refers to the record set of splits.
    """
    fields = [_split_field(folder, joined)]
    for column in schema:
        source = {"fileSet": {"@id": PARQUET}, "extract": {"column": column.name}}
        field = _field(f"{SAMPLES}/{column.name}", column.type, source, "")
        if column.name in labels:
            field["dataType"] = ["sc:Integer", "cr:Label"]
            field["description"] = OF_LABELS
        if column.name in ("source_url", "doi"):
            field["equivalentProperty"] = "prov:hadPrimarySource"
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
            "A record for each row. Pictures, volumes and masks are the untouched bytes of their files: whoever reads "
            "them decodes them, because 16-bit and Hounsfield values do not survive a decoder for photographs."
        ),
        **key,
        "field": fields,
    }


def _split_field(folder: str, joined: bool) -> Node:
    """Read the split off the path of a shard.

    The expression is one that `mlcroissant` can make a glob of: with the filter ``{"samples/split": "test"}`` it opens
    the shards of one split.
    """
    source = {
        "fileSet": {"@id": PARQUET},
        "extract": {"fileProperty": "fullpath"},
        "transform": {"regex": rf"^{folder}(.+)-.+-of-.+\.parquet$"},
    }
    return {
        "@type": "cr:Field",
        "@id": f"{SAMPLES}/split",
        "name": "split",
        "description": "The split, as the name of the file says it: one of the record set splits.",
        "dataType": "sc:Text",
        "source": source,
        **({"references": {"field": {"@id": "splits/name"}}} if joined else {}),
    }


def _field(identifier: str, kind: pa.DataType, source: Node, path: str) -> Node:
    """Describe a column, or what is inside of one, all the way down to single values."""
    import pyarrow as pa

    name = identifier.rpartition("/")[2]
    node: Node = {"@type": "cr:Field", "@id": identifier, "name": name}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        node |= {"isArray": True, "arrayShape": "-1"}
        kind = kind.value_type
    if _is_file(kind):
        return node | {
            "description": "The untouched bytes of the file.",
            "dataType": "sc:Text",
            "source": _at(source, f"{path}.bytes" if path else "bytes"),
        }
    if pa.types.is_struct(kind):
        inner = [kind.field(at) for at in range(kind.num_fields)]
        above = f"{path}." if path else ""
        return node | {"subField": [_field(f"{identifier}/{f.name}", f.type, source, above + f.name) for f in inner]}
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


def _inline(identifier: str, kind: str | list[str], what: str) -> Node:
    name = identifier.rpartition("/")[2]
    return {"@type": "cr:Field", "@id": identifier, "name": name, "description": what, "dataType": kind}


def flat(fields: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield fields, each before those inside of it.

    >>> [each["@id"] for each in flat([{"@id": "a", "subField": [{"@id": "a/b"}]}])]
    ['a', 'a/b']
    """
    for each in fields:
        yield each
        yield from flat(each.get("subField", ()))
