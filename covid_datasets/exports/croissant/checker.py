"""The parts of a Croissant description, one after the other: the dataset, its files, its records."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covid_datasets.exports.croissant.dataset import SEMVER
from covid_datasets.exports.croissant.nodes import (
    PREFIXED,
    Node,
    Nodes,
    bare,
    is_address,
    is_date,
    is_reference,
    is_text,
    many,
    paths,
    shown,
    types,
)
from covid_datasets.exports.croissant.rules import FILE_PROPERTIES, HASHES, RAI_ONCE, READABLE, RULES, SIZE
from covid_datasets.exports.croissant.vocabulary import DATA_TYPES, RAI, SCHEMA_ORG, VERSIONS
from covid_datasets.prepare.seal import file_digest


@dataclass(slots=True)
class Checker(Nodes):
    """One walk over a description."""

    def check(self) -> None:
        """Check the whole description."""
        if not isinstance(self.document, Mapping):
            self.say("$", "one JSON object", self.document)
            return
        self.check_context(self.document.get("@context"))
        self.collect(self.document)
        self._dataset("$", self.document)

    # The dataset

    def _dataset(self, path: str, node: Node) -> None:
        self.node(path, node, "Dataset")
        self._conforms(path, node)
        for key in ("name", "description", "citeAs"):
            self.each(path, node, key, is_text, "text")
        self.each(path, node, "url", is_address, "an address such as https://example.org/dataset")
        for key in ("datePublished", "dateCreated", "dateModified"):
            self.each(path, node, key, is_date, "a date as in ISO 8601: 2020-12-31, 2020-12 or 2020")
        for key in ("version", "sdVersion"):
            self.each(path, node, key, self._is_version, "semantic versioning, such as '1.0.0', as text")
        self.each(path, node, "isLiveDataset", lambda value: isinstance(value, bool), "true or false")
        self.each(path, node, "keywords", lambda value: is_text(value) or isinstance(value, Mapping), "text")
        for key in ("creator", "publisher"):
            for inner, value in self.values(path, node, key):
                self.node(inner, value, "Person", "Organization")
        for inner, value in self.values(path, node, "license"):
            self._license(inner, value)
        for inner, value in self.values(path, node, "usageInfo"):
            self._usage(inner, value)
        self._others(path, node)
        self._responsible(path, node)
        self._foreign(path, {key: value for key, value in node.items() if key.startswith(("prov:", "odrl:"))})
        for inner, value in self.values(path, node, "distribution"):
            self._file(inner, value)
        for inner, value in self.values(path, node, "recordSet"):
            self._record_set(inner, value)

    def _others(self, path: str, node: Node) -> None:
        """Check what else has a type whose words are known: an identifier, a defined keyword, a funder."""
        told = {"creator", "publisher", "license", "usageInfo", "distribution", "recordSet"}
        for name, value in node.items():
            if bare(name) not in told and not name.startswith(("@", "prov:", "odrl:")):
                for inner, each in paths(f"{path}.{name}", value):
                    kinds = [kind for kind in types(each) if kind in RULES] if isinstance(each, Mapping) else []
                    if kinds:
                        self.node(inner, each, kinds[0])

    def _is_version(self, value: Any) -> bool:
        return isinstance(value, str) and SEMVER.fullmatch(value) is not None

    def _conforms(self, path: str, node: Node) -> None:
        said = self.get(node, "conformsTo")
        if said is None:
            return
        if not isinstance(said, list) or RAI not in said:
            self.say(f"{path}.conformsTo", f"a list with {VERSIONS[-1]!r} and {RAI!r}", said)
        if not set(VERSIONS) & {each for each in many(said) if isinstance(each, str)}:
            self.say(f"{path}.conformsTo", f"the version of Croissant, such as {VERSIONS[-1]!r}", said)

    def _license(self, path: str, value: Any) -> None:
        if isinstance(value, Mapping):
            if self.node(path, value, "CreativeWork") and not (self.get(value, "name") or self.get(value, "url")):
                self.say(path, "a licence with a name or a url", value)
        elif not is_address(value):
            self.say(path, "the address of a licence (https://spdx.org/licenses/…), or a CreativeWork", value)

    def _usage(self, path: str, value: Any) -> None:
        if isinstance(value, Mapping):
            self.node(path, value, "CreativeWork", "DefinedTerm")
            self._foreign(path, value)
            if "DefinedTerm" in types(value) and not (self.get(value, "termCode") or self.get(value, "url")):
                self.say(path, "a termCode or a url, which say which term it is", value)
        elif not is_address(value):
            self.say(path, "an address, a CreativeWork or a DefinedTerm", value)

    def _foreign(self, path: str, node: Node) -> None:
        """Check the words of other vocabularies below a node, at any depth: PROV and ODRL nest."""
        for key, value in node.items():
            if not key.startswith(("prov:", "odrl:")):
                continue
            for inner, each in paths(f"{path}.{key}", value):
                if isinstance(each, Mapping):
                    self.check_keys(inner, each, RULES["CreativeWork"].known)
                    for at, kind in paths(f"{inner}.@type", each.get("@type", [])):
                        self._word(at, kind)
                    if is_reference(each):
                        self._word(f"{inner}.@id", each["@id"])
                    self._foreign(inner, each)
                elif not is_text(each):
                    self.say(inner, "an object or text", each)

    def _word(self, path: str, word: Any) -> None:
        """Check a value that is a word of a vocabulary, such as `odrl:use`."""
        prefixed = PREFIXED.fullmatch(word) if isinstance(word, str) else None
        if prefixed and prefixed[1] in ("prov", "odrl"):
            self.check_prefixed(path, prefixed[1], prefixed[2], frozenset())

    def _responsible(self, path: str, node: Node) -> None:
        for key, value in node.items():
            name = key.removeprefix("rai:")
            if name == key or value in ("", [], None):
                continue
            if name == "hasSyntheticData":
                if not isinstance(value, bool):
                    self.say(f"{path}.{key}", "true or false", value)
                continue
            if name in RAI_ONCE and isinstance(value, list):
                self.say(f"{path}.{key}", "one text", f"a list of {len(value)}")
            for inner, each in paths(f"{path}.{key}", value):
                if not is_text(each):
                    self.say(inner, "text", each)

    # Files

    def _file(self, path: str, node: Any) -> None:
        kind = self.node(path, node, "FileObject", "FileSet")
        if not kind:
            return
        for key in ("name", "description", "encodingFormat", "includes", "excludes"):
            self.each(path, node, key, is_text, "text")
        self.each(path, node, "contentSize", self._is_size, "a size as text, such as '120 B' or '2.5 MB'")
        self.each(path, node, "sameAs", is_address, "an address")
        for key, form in HASHES.items():
            for inner, value in self.values(path, node, key):
                if not isinstance(value, str) or not re.fullmatch(form, value):
                    self.say(inner, f"a {key} in hexadecimal digits", value)
        inside = self.get(node, "containedIn")
        for inner, value in self.values(path, node, "containedIn"):
            if isinstance(value, Mapping) and not is_reference(value):
                self._source(inner, value)
            else:
                self.reference(inner, value, "FileObject", "FileSet")
        if kind == "FileObject":
            self._file_object(path, node, inside is not None)

    def _is_size(self, value: Any) -> bool:
        return isinstance(value, str) and SIZE.fullmatch(value) is not None

    def _file_object(self, path: str, node: Node, inside: bool) -> None:
        live = self.get(self.document, "isLiveDataset") is True
        if not inside and not live and not any(self.get(node, key) for key in HASHES):
            self.say(f"{path}.sha256", "the SHA-256 of the file (or its md5)", "nothing")
        place = self.get(node, "contentUrl")
        if place is None or inside:
            return
        if not isinstance(place, str) or re.match(r"file:|/|[A-Za-z]:\\", place):
            self.say(f"{path}.contentUrl", "an address, or a path from where this description lies", place)
        elif "://" not in place and self.folder is not None:
            self._local(path, node, self.folder / place)

    def _local(self, path: str, node: Node, file: Path) -> None:
        """Compare a file that lies beside the description with what is said of it."""
        if not file.is_file():
            self.say(f"{path}.contentUrl", "a file beside the description", f"nothing at {file}")
            return
        size, said = file.stat().st_size, self.get(node, "contentSize")
        if isinstance(said, str) and re.fullmatch(r"[0-9]+( ?B)?", said) and int(said.rstrip(" B")) != size:
            self.say(f"{path}.contentSize", f"'{size} B', as the file has", said)
        sha256 = self.get(node, "sha256")
        if isinstance(sha256, str) and (found := file_digest(file)) != sha256.lower():
            self.say(f"{path}.sha256", f"{found}, as the file has", sha256)

    # Records

    def _record_set(self, path: str, node: Any) -> None:
        if not self.node(path, node, "RecordSet"):
            return
        fields = [*self.values(path, node, "field")]
        for inner, value in fields:
            self._field(inner, value, inline=any(self.get(node, key) is not None for key in ("data", "examples")))
        own = {str(each.get("@id")) for _, each in fields if isinstance(each, Mapping)}
        for inner, value in self.values(path, node, "key"):
            if (key := self.reference(inner, value, "Field")) is not None and str(key.get("@id")) not in own:
                self.say(inner, f"a field of {node.get('@id')!r}", key.get("@id"))
        for inner, value in self.values(path, node, "dataType"):
            self._data_type(inner, value)
        data = self.get(node, "data")
        if data is not None:
            self._data(f"{path}.data", data, own)
        kinds = {bare(each) for each in many(self.get(node, "dataType")) if isinstance(each, str)}
        if kinds & {"Enumeration", "Split"} and self.get(node, "key") is None:
            self.say(f"{path}.key", "the field that tells its members apart", "nothing")
        if "Enumeration" in kinds and not any(self._is_name(each) for _, each in fields):
            self.say(
                f"{path}.field", "a field that is a name: /name, or equivalentProperty sc:name", shown(sorted(own))
            )

    def _is_name(self, node: Any) -> bool:
        if not isinstance(node, Mapping):
            return False
        same = [bare(each) for each in many(self.get(node, "equivalentProperty")) if isinstance(each, str)]
        return str(node.get("@id")).endswith("/name") or "name" in same

    def _data(self, path: str, data: Any, own: set[str]) -> None:
        if not isinstance(data, list | Mapping) or not data:
            self.say(path, "a list of records", data)
            return
        for inner, record in paths(path, data):
            if not isinstance(record, Mapping) or set(record) != own:
                found = sorted(set(record) ^ own, key=str) if isinstance(record, Mapping) else record
                self.say(inner, "a value for each field, by its id", f"other keys: {shown(found)}")

    def _field(self, path: str, node: Any, *, inline: bool) -> None:
        if not self.node(path, node, "Field"):
            return
        for key in ("name", "description"):
            self.each(path, node, key, is_text, "text")
        self.each(path, node, "isArray", lambda value: isinstance(value, bool), "true or false")
        is_shape = re.compile(r"\(?-?[0-9]+(, ?-?[0-9]+)*,?\)?").fullmatch
        self.each(path, node, "arrayShape", lambda value: bool(is_shape(str(value))), "a shape as text: '-1' or '3,4'")
        if self.get(node, "arrayShape") is not None and self.get(node, "isArray") is not True:
            self.say(f"{path}.isArray", "true, as it has an arrayShape", self.get(node, "isArray"))
        parts = [*self.values(path, node, "subField"), *self.values(path, node, "annotation")]
        for inner, value in parts:
            self._field(inner, value, inline=inline)
        source, value = self.get(node, "source"), self.get(node, "value")
        if source is not None:
            self._source(f"{path}.source", source)
        nested = self.get(node, "subField") is not None
        if source is None and value is None and not nested and not inline:
            self.say(f"{path}.source", "where its values come from", "nothing")
        if source is not None and value is not None:
            self.say(f"{path}.value", "a source or a value", "both")
        inherited = is_reference(source) or (isinstance(source, Mapping) and self.get(source, "field") is not None)
        kinds = [*self.values(path, node, "dataType")]
        if not kinds and not nested and not inherited:
            self.say(f"{path}.dataType", "a value", "nothing")
        readable = [self._data_type(inner, each) for inner, each in kinds]
        if kinds and not any(readable) and not nested and not inherited:
            self.say(f"{path}.dataType", "one type that says how values are read, such as sc:Text", kinds[0][1])
        for inner, each in self.values(path, node, "references"):
            self._references(inner, each)
        self._foreign(path, node)

    def _references(self, path: str, value: Any) -> None:
        """Check what a field refers to: another field, or the column of a file that would be one."""
        if is_reference(value) or not isinstance(value, Mapping):
            self.reference(path, value, "Field")
        else:
            self._source(path, value)

    def _data_type(self, path: str, value: Any) -> bool:
        """Check the name of a type, and tell whether it says how values are read; classes of others do not."""
        name = value.get("@id") if isinstance(value, Mapping) else value
        if not isinstance(name, str):
            self.say(path, "the name of a type, such as 'sc:Text'", value)
            return True
        short = next((f"sc:{name.removeprefix(iri)}" for iri in SCHEMA_ORG if name.startswith(iri)), name)
        if short in DATA_TYPES:
            if "://" not in name and name.partition(":")[0] not in self.context:
                self.say(path, "a type with a prefix that @context declares", repr(name))
            return True
        if "://" in short:
            return False
        if short.partition(":")[0] not in self.context:
            self.say(path, "a type with a prefix that @context declares, such as 'sc:Text'", repr(name))
            return True
        near = difflib.get_close_matches(short, sorted(DATA_TYPES), n=1, cutoff=0.8)
        if near or short.startswith("cr:"):
            self.say(path, f"a known type{f' (did you mean {near[0]!r}?)' if near else ''}", repr(name))
            return True
        return False

    def _source(self, path: str, source: Any) -> None:
        """Check where values come from: a file or a set of them, and what is taken out of it."""
        if is_reference(source):
            self.reference(path, source, "Field", "FileObject", "FileSet", "RecordSet")
            return
        if not self.node(path, source, "DataSource"):
            return
        kinds = {"fileObject": "FileObject", "fileSet": "FileSet", "recordSet": "RecordSet", "field": "Field"}
        given = [key for key in kinds if self.get(source, key) is not None]
        if len(given) != 1:
            self.say(path, f"one of {', '.join(kinds)}", ", ".join(given) or "nothing")
        for key in given:
            target = self.reference(f"{path}.{key}", self.get(source, key), kinds[key])
            if target is not None and key.startswith("file"):
                self._readable(f"{path}.{key}", target)
        self._extract(path, source)
        for inner, value in self.values(path, source, "transform"):
            self.node(inner, value, "Transform")
            if isinstance(value, Mapping):
                self._regex(f"{inner}.regex", self.get(value, "regex"))

    def _extract(self, path: str, source: Node) -> None:
        extract = self.get(source, "extract")
        if extract is None or not self.node(f"{path}.extract", extract, "Extract"):
            return
        given = [key for key in ("fileProperty", "column", "jsonPath") if self.get(extract, key) is not None]
        if len(given) != 1:
            self.say(f"{path}.extract", "one of fileProperty, column, jsonPath", ", ".join(given) or "nothing")
        name = self.get(extract, "fileProperty")
        if name is not None and name not in FILE_PROPERTIES:
            self.say(f"{path}.extract.fileProperty", f"one of {', '.join(FILE_PROPERTIES)}", name)

    def _readable(self, path: str, target: Node) -> None:
        """Say of a file which nobody's loader reads: the validator of MLCommons lets it pass, and loading fails."""
        formats = [each for each in many(self.get(target, "encodingFormat")) if isinstance(each, str)]
        if formats and not set(formats) & READABLE:
            near = difflib.get_close_matches(formats[0], sorted(READABLE), n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            self.say(path, f"a file in a format that records can be read from{hint}", ", ".join(formats))

    def _regex(self, path: str, regex: Any) -> None:
        if regex is None:
            return
        try:
            groups = re.compile(regex).groups
        except (re.error, RecursionError, TypeError, OverflowError):
            self.say(path, "a regular expression", regex)
            return
        if groups != 1:
            self.say(path, "one capturing group", f"{groups} in {regex!r}")
