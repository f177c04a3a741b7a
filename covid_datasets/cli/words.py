"""The parser of all commands: of a word that it does not know it says which one was meant."""

from __future__ import annotations

import sys
from argparse import Action, ArgumentError, ArgumentParser, ArgumentTypeError
from typing import Any, NoReturn

from covid_datasets.errors import UsageError, not_one_of
from covid_datasets.harmless import visible


class Parser(ArgumentParser):
    """An `ArgumentParser` whose errors are one sentence: what was expected, what was found, what may have been meant.

    argparse prints how the command is called instead, up to twenty lines of it, and names no word that is near.
    """

    def error(self, message: str) -> NoReturn:
        """Say it on standard error, and end as a wrong command line does."""
        end = "" if message.endswith("?") else "."
        print(f"{UsageError.__name__}: {visible(message)}{end} Next: {self.prog} --help", file=sys.stderr)
        sys.exit(UsageError.exit_code)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all words; an option that is not known is told first, since all that is wrong may follow from it."""
        words = sys.argv[1:] if args is None else list(args)
        for word in words:
            if word == "--" or (self._subparsers and not word.startswith("-")):  # what follows is the command's
                break
            name = word.partition("=")[0]
            known = sorted(each for each in self._option_string_actions if each.startswith("--"))
            if name.startswith("--") and " " not in name and not any(each.startswith(name) for each in known):
                self.error(f"options of {self.prog}: {not_one_of(name, known)}")
        found, rest = super().parse_known_args(words, namespace)
        if rest:
            self.error(f"{self.prog}: expected no more words, found {' '.join(rest)!r}")
        return found, rest

    def _check_value(self, action: Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise ArgumentError(action, not_one_of(value, map(str, action.choices)))


def whole(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"expected a whole number, found {text!r}") from None


def positive(text: str) -> int:
    """Read a whole number above 0."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number above 0, found {text!r}")
    return int(text)


def decimal(text: str) -> float:
    """Read a number."""
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"expected a number, found {text!r}") from None


def fingerprint(text: str) -> str:
    """Read the beginning of a fingerprint."""
    digits = text.strip().lower()
    if not 8 <= len(digits) <= 64 or set(digits) - set("0123456789abcdef"):
        raise ArgumentTypeError(f"expected a fingerprint of 8 to 64 hexadecimal digits, found {text!r}")
    return digits
