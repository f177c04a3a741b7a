"""What every node of a Croissant description has: known keys, an id of its own, references that lead somewhere."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from covid_datasets.exports.croissant.rules import DATE, RULES
from covid_datasets.exports.croissant.vocabulary import (
    ALIASES,
    CROISSANT,
    NEW,
    PREFIXES,
    SCHEMA_ORG,
    VOCABULARIES,
)

_SHOWN = 80
_ADDRESS = re.compile(r"https?://[^\s/]+\S*|ni:///\S+|urn:[\w-]+:\S+|doi:10\.\S+")
PREFIXED = re.compile(r"([A-Za-z][\w-]*):(?!//)(.+)")

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what was expected there, and what was found."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.path}: expected {self.expected}, found {self.found}"


def shown(value: Any) -> str:
    """Show a value, cut short."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def many(value: Any) -> list[Any]:
    """Give a list, also of a single value: JSON-LD takes both for the same."""
    return list(value) if isinstance(value, list) else [value]


def paths(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Give a value, or each member of a list, with its place."""
    if isinstance(value, list):
        yield from ((f"{path}[{at}]", each) for at, each in enumerate(value))
    else:
        yield path, value


def bare(name: str) -> str:
    """Take off what says that a word is one of schema.org, Croissant or Dublin Core."""
    for prefix in ("sc:", "cr:", "dct:", *SCHEMA_ORG, PREFIXES["cr"]):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def types(node: Node) -> list[str]:
    """List the types of a node, without prefixes."""
    return [bare(each) for each in many(node.get("@type", [])) if isinstance(each, str)]


def is_text(value: Any) -> bool:
    """Tell whether there is some text: alone, or in several languages."""
    if isinstance(value, dict):
        return bool(value) and all(isinstance(each, str) and each.strip() for each in value.values())
    return isinstance(value, str) and bool(value.strip())


def is_address(value: Any) -> bool:
    """Tell whether a value is an address: of the web, or a name that needs no place."""
    return isinstance(value, str) and bool(_ADDRESS.fullmatch(value))


def is_reference(value: Any) -> bool:
    """Tell whether an object is nothing but the id of another one."""
    return isinstance(value, dict) and set(value) == {"@id"} and isinstance(value["@id"], str)


def is_date(value: Any) -> bool:
    """Tell whether a value is a day, a month, a year or a time of the calendar."""
    found = DATE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return False
    year, month, day = (int(part) for part in (f"{value[:10].partition('T')[0]}-1-1".split("-")[:3]))
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class Nodes:
    """What all nodes of a description have in common, and what has been found wrong so far."""

    document: Any
    folder: Path | None = None
    problems: list[Problem] = field(default_factory=list)
    context: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, tuple[str, Node]] = field(default_factory=dict)
    missing_aliases: set[str] = field(default_factory=set)

    def say(self, path: str, expected: str, found: Any) -> None:
        """Note what is wrong."""
        self.problems.append(Problem(path, expected, found if isinstance(found, str) else shown(found)))

    # What every node has

    @property
    def is_old(self) -> bool:
        """Whether the description says that it is of Croissant 1.0."""
        return CROISSANT not in many(self.get(self.document, "conformsTo"))

    def get(self, node: Node, key: str) -> Any:
        """Return a value by its bare key, however the key is written; ``None`` where it has none."""
        return next((value for name, value in node.items() if bare(name) == key), None)

    def node(self, path: str, node: Any, *kinds: str) -> str:
        """Check what nodes of a type have and need; return the type, or nothing where it is no such node."""
        wanted = " or ".join(kinds)
        if not isinstance(node, Mapping):
            self.say(path, f"an object of type {wanted}", node)
            return ""
        found = [kind for kind in types(node) if kind in kinds]
        typed = "@type" in node
        if not found and (typed or len(kinds) > 1):
            self.say(f"{path}.@type", wanted, shown(node["@type"]) if typed else "nothing")
            if len(kinds) > 1:
                return ""
        kind = found[0] if found else kinds[0]
        rule = RULES[kind]
        for key in rule.required:
            if not self.has(node, key):
                self.say(f"{path}.{key}", "a value", "nothing" if self.get(node, key) is None else self.get(node, key))
        self.check_keys(path, node, rule.known)
        for name, value in node.items():
            if bare(name) in rule.once and isinstance(value, list):
                self.say(f"{path}.{name}", "one value", f"a list of {len(value)}")
        return kind

    def has(self, node: Node, key: str) -> bool:
        """Tell whether a key is there and says something."""
        value = node.get(key) if key.startswith(("@", "rai:")) else self.get(node, key)
        return value is not None and value != "" and value != [] and value != {}

    def check_keys(self, path: str, node: Node, known: frozenset[str]) -> None:
        """Report keys that no vocabulary knows."""
        for key in node:
            if key in ("@type", "@id", "@context", "@language", "@value"):
                continue
            prefixed = PREFIXED.fullmatch(key)
            if prefixed:
                self.check_prefixed(f"{path}.{key}", prefixed[1], prefixed[2], known)
            elif "://" not in key:
                if key in ALIASES and key not in self.context and not (key in NEW and self.is_old):
                    self._missing_alias(key)
                if key not in known:
                    self._misspelt(f"{path}.{key}", key, known)

    def check_prefixed(self, path: str, prefix: str, word: str, known: frozenset[str]) -> None:
        """Report a prefix that is not declared, and a word that is not in its vocabulary."""
        if prefix not in self.context:
            near = difflib.get_close_matches(prefix, [name for name in self.context if name in PREFIXES], n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            self.say(path, f"a prefix that @context declares{hint}", repr(prefix))
            return
        words = known if prefix == "sc" else VOCABULARIES.get(prefix)
        if words is not None and word not in words:
            self._misspelt(path, word, words)

    def _misspelt(self, path: str, word: str, known: frozenset[str]) -> None:
        near = difflib.get_close_matches(word, sorted(known), n=1)
        self.say(path, f"a known key{f' (did you mean {near[0]!r}?)' if near else ''}", repr(word))

    def _missing_alias(self, key: str) -> None:
        if key not in self.missing_aliases:
            self.missing_aliases.add(key)
            wanted = ALIASES[key] if isinstance(ALIASES[key], str) else ALIASES[key]["@id"]
            self.say(f"$.@context.{key}", f"{wanted!r}, without which it is a word of schema.org", "nothing")

    def check_context(self, context: Any) -> None:
        """Report what the context makes of words that mean something else."""
        if context is None:
            return  # it is required, and said so
        if not isinstance(context, dict):
            self.say("$.@context", "an object with the words that are used", context)
            return
        self.context = context
        if context.get("@vocab") not in SCHEMA_ORG:
            self.say("$.@context.@vocab", "'https://schema.org/'", context.get("@vocab", "nothing"))
        for name, iri in PREFIXES.items():
            allowed = SCHEMA_ORG if name == "sc" else (iri,)
            if name in context and context[name] not in allowed:
                self.say(f"$.@context.{name}", repr(iri), context[name])
        for name, wanted in ALIASES.items():
            if name in context and not self._same_word(context[name], wanted):
                self.say(f"$.@context.{name}", shown(wanted), context[name])
        for name in context:
            if name not in PREFIXES and name not in ALIASES and not name.startswith("@"):
                words = [*PREFIXES, *ALIASES]
                near = difflib.get_close_matches(name, words, n=1, cutoff=0.85)
                if near and near[0] not in context:
                    self.say(f"$.@context.{name}", f"a known word (did you mean {near[0]!r}?)", repr(name))

    def _same_word(self, found: Any, wanted: Any) -> bool:
        def whole(word: Any) -> Any:
            prefix, _, rest = str(word).partition(":")
            return PREFIXES[prefix] + rest if prefix in PREFIXES else word

        if isinstance(wanted, dict):
            return isinstance(found, dict) and bool(whole(found.get("@id")) == whole(wanted["@id"]))
        return bool(whole(found.get("@id") if isinstance(found, dict) else found) == whole(wanted))

    # Who has which id

    def collect(self, document: Node) -> None:
        """Note the id of each file and record, before any of them is referred to."""
        for path, node in paths("$.distribution", self.get(document, "distribution") or []):
            self._claim(path, node)
        for path, node in paths("$.recordSet", self.get(document, "recordSet") or []):
            self._claim(path, node)
            self._claim_fields(path, node)

    def _claim_fields(self, path: str, node: Any) -> None:
        if isinstance(node, Mapping):
            for key in ("field", "subField", "annotation"):
                for inner, each in paths(f"{path}.{key}", self.get(node, key) or []):
                    self._claim(inner, each)
                    self._claim_fields(inner, each)

    def _claim(self, path: str, node: Any) -> None:
        identifier = node.get("@id") if isinstance(node, Mapping) else None
        if identifier is None:
            return
        if not isinstance(identifier, str):
            self.say(f"{path}.@id", "an id as text", identifier)
            return
        if re.search(r"\s", identifier) or not identifier:
            self.say(f"{path}.@id", "an id without blanks", identifier)
        if identifier in self.ids:
            self.say(f"{path}.@id", "an id of its own", f"{identifier!r}, which {self.ids[identifier][0]} has")
        else:
            self.ids[identifier] = (path, node)

    def reference(self, path: str, value: Any, *kinds: str) -> Node | None:
        """Follow a reference to a node of one of these types."""
        identifier = value.get("@id") if is_reference(value) else value if isinstance(value, str) else None
        wanted = " or ".join(kinds)
        if identifier is None:
            self.say(path, f'a reference {{"@id": ...}} to a {wanted}', value)
        elif identifier not in self.ids:
            near = difflib.get_close_matches(identifier, self.ids, n=1)
            self.say(path, f"the id of a {wanted}{f' (did you mean {near[0]!r}?)' if near else ''}", repr(identifier))
        else:
            node = self.ids[identifier][1]
            if set(types(node)) & set(kinds) or not types(node):
                return node
            self.say(path, f"the id of a {wanted}", f"{identifier!r}, which is a {', '.join(types(node))}")
        return None

    def values(self, path: str, node: Node, key: str) -> Iterator[tuple[str, Any]]:
        """Give the values of a key, each with its place."""
        for name, value in node.items():
            if bare(name) == key and value is not None:
                yield from paths(f"{path}.{name}", value)

    def each(self, path: str, node: Node, key: str, fits: Callable[[Any], bool], expected: str) -> None:
        """Check each value of a key that is there; whether it has to be there is said elsewhere."""
        for inner, value in self.values(path, node, key):
            if value not in ("", {}) and not fits(value):
                self.say(inner, expected, value)
