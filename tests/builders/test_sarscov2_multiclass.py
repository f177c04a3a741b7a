"""The multiclass set of São Paulo: a patient is a folder in a class, and its slices are found in the earlier set."""

from __future__ import annotations

import pytest

from covid_datasets import load_dataset
from covid_datasets.raw.tree import RawTree
from tests.builders.test_builders import build
from tests.small import SmallSources

pytestmark = [
    pytest.mark.filterwarnings("ignore:.* is INCOMPLETE"),
    pytest.mark.filterwarnings("ignore:.*Nobody knows which rows show one person"),
]


def test_a_folder_of_one_name_is_another_patient_in_another_class(small: SmallSources) -> None:
    records, _ = build("sarscov2_multiclass", RawTree.of_folder(small.tree("sarscov2_multiclass")))
    firsts = {record.patient for record in records.values() if record.patient and record.patient.endswith("(1)")}
    assert firsts == {"Covid/Patient (1)", "Healthy/Patient (1)", "Others/Patient (1)"}


def test_a_slice_of_the_earlier_set_is_in_the_split_of_its_copy(small: SmallSources) -> None:
    both = ["sarscov2_ctscan", "sarscov2_multiclass"]
    for name in both:
        small.build(name)
    with small.in_use():
        rows = load_dataset(both, split="all", framework="numpy", cache_dir=small.cache, allow_missing=True)
        groups = {row["sample_id"]: row["group_id"] for row in rows}
    one = groups["sarscov2_ctscan/Covid (2).png"]
    assert one == groups["sarscov2_multiclass/Covid/Patient (1)/1.png"]
    assert one == groups["sarscov2_multiclass/Covid/Patient (1)/2.png"], "the whole patient goes with it"
    assert one != groups["sarscov2_multiclass/Covid/Patient (2)/1.png"]
