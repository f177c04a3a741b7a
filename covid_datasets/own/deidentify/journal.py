"""What was done so far, line by line in the secret folder, so that a call goes on where another one was stopped."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from covid_datasets.own.deidentify.report import Changes, Done, kind_of
from covid_datasets.own.deidentify.secret import add_private


class Journal:
    """Files that were cleaned, by what they are known by, and the kinds of changes that were made to them.

    >>> journal = Journal(getfixture("tmp_path") / "journal.jsonl")
    >>> kind = journal.kind((("PatientName", "pseudonym"),))
    >>> journal.add(Done("a.dcm", "1", "P/1.dcm", kind=kind))
    >>> again = Journal(getfixture("tmp_path") / "journal.jsonl")
    >>> again.done["1"].file, again.kinds[kind]
    ('P/1.dcm', (('PatientName', 'pseudonym'),))
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.done: dict[str, Done] = {}
        self.kinds: dict[str, Changes] = {}
        self._last: dict[str, str] = {}
        self._outs: set[str] = set()
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        for line in text.splitlines():
            try:
                self._read(json.loads(line))
            except (ValueError, TypeError, KeyError):
                continue  # a line that is torn was not written: what it would say is done again
        if text and not text.endswith("\n"):
            add_private(path, "")

    def _read(self, said: dict[str, Any]) -> None:
        if "out" in said:
            self._outs.add(str(said["out"]))
        elif "changes" in said:
            changes = tuple((str(where), str(what)) for where, what in said["changes"])
            self.kinds[kind_of(changes)] = changes
        else:
            done = Done(**{**said, "warnings": tuple(said["warnings"])})
            if not done.file or done.kind in self.kinds:
                self._take(done)

    def _take(self, done: Done) -> None:
        """Take over an entry; of several that wrote one file only the last is true."""
        before = self._last.get(done.file)
        if done.file and before not in (None, done.known):
            self.done.pop(str(before), None)
        if done.file:
            self._last[done.file] = done.known
        self.done[done.known] = done

    def began(self, out: Path) -> bool:
        """Tell whether an earlier call wrote into this folder."""
        return str(out.resolve()) in self._outs

    def begin(self, out: Path) -> None:
        """Write down which folder is written into, before there is anything in it."""
        if not self.began(out):
            self._outs.add(str(out.resolve()))
            add_private(self._path, json.dumps({"out": str(out.resolve())}))

    def kind(self, changes: Changes) -> str:
        """Return the name of a kind of changes, which is written down once."""
        name = kind_of(changes)
        if name not in self.kinds:
            self.kinds[name] = changes
            add_private(self._path, json.dumps({"changes": changes}))
        return name

    def add(self, done: Done) -> None:
        """Write down what became of a file; it is there already."""
        self._take(done)
        add_private(self._path, json.dumps(asdict(done)))
