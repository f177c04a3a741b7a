"""Votes of readers: nobody wins by half, contradictions count for none, and order changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.read.votes import Vote, vote

ANSWERS, READERS = ("mild", "moderate", "severe"), ("Tiger", "Bear", "Dragon")
said = st.dictionaries(
    st.sampled_from([*READERS, "Lion", "Adjudication"]), st.lists(st.sampled_from([*ANSWERS, "typical"]))
)


@given(said)
def test_whoever_wins_has_more_than_half_or_the_last_word(votes: Mapping[str, Collection[str]]) -> None:
    found = vote(votes, ANSWERS, READERS, "Adjudication")
    heard = {reader: set(labels) & set(ANSWERS) for reader, labels in votes.items()}
    if found.by == "adjudication":
        assert heard["Adjudication"] == {found.answer}
    elif found.by == "majority":
        assert sum(heard.get(reader) == {found.answer} for reader in READERS) >= 2
        assert len(heard.get("Adjudication", ())) != 1
    else:
        assert found.answer is None
        assert all(sum(heard.get(reader) == {answer} for reader in READERS) < 2 for answer in ANSWERS)
    assert set(found.torn) == {reader for reader, labels in heard.items() if len(labels) > 1} - {"Lion"}


@given(said)
def test_order_and_repetition_change_nothing(votes: Mapping[str, Collection[str]]) -> None:
    turned = {reader: [*reversed([*labels]), *labels] for reader, labels in reversed([*votes.items()])}
    assert vote(turned, ANSWERS, READERS, "Adjudication") == vote(votes, ANSWERS, READERS, "Adjudication")


def test_silence_is_no_vote_for_anybody() -> None:
    assert vote({"Tiger": ["mild"]}, ANSWERS, READERS) == Vote(None, "")
    assert vote({}, ANSWERS, READERS, "Adjudication") == Vote(None, "")
    assert vote({"Lion": ["mild"], "Tiger": ["mild"]}, ANSWERS, READERS).answer is None, "only readers are asked"
