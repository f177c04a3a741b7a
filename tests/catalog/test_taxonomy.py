"""Findings: one fixed order, whole spellings only, and nothing guessed."""

from pathlib import Path

import pytest

from covid_datasets.catalog.taxonomy import (
    UnknownFindingError,
    agree,
    ancestors,
    classify,
    label_names,
    load_taxonomy,
    read_taxonomy,
)
from covid_datasets.errors import CatalogError, IntegrityError

# What builds of the first release stored: classes may be added at the end, but these never move.
FIRST = (
    "no_finding covid19 not_covid19 pneumonia viral_pneumonia sars mers influenza h1n1 varicella herpes "
    "bacterial_pneumonia chlamydophila e_coli klebsiella legionella mycoplasma nocardia streptococcus staphylococcus "
    "mrsa fungal_pneumonia aspergillosis pneumocystis lipoid_pneumonia aspiration_pneumonia ards tuberculosis"
)


def test_order_is_append_only() -> None:
    assert label_names()[: len(FIRST.split())] == tuple(FIRST.split())


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("COVID-19", "covid19"),
        ("COVID-19, ARDS", "covid19"),
        ("Pneumonia/Viral/COVID-19", "covid19"),
        ("Pneumonia/Viral/Herpes ", "herpes"),
        ("Pneumonia/Viral/Influenza/H1N1", "h1n1"),
        ("Pneumonia/Viral/MERS-CoV", "mers"),
        ("Pneumonia/Bacterial/Staphylococcus/MRSA", "mrsa"),
        ("Pneumonia/Bacterial", "bacterial_pneumonia"),
        ("Mycoplasma Bacterial Pneumonia", "mycoplasma"),
        ("Pneumonia/Aspiration", "aspiration_pneumonia"),
        ("E.Coli", "e_coli"),
        ("no finding", "no_finding"),
        ("  Pneumonia ", "pneumonia"),
        ("Tuberculosis", "tuberculosis"),
        ("No Lung Opacity / Not Normal", "other_abnormality"),
        ("Lung Opacity", "lung_opacity"),
        ("bacterial_pneumonia", "bacterial_pneumonia"),
        ("todo", None),
        ("Unknown", None),
        ("?", None),
        (" ", None),
    ],
)
def test_classify(raw: str, label: str | None) -> None:
    assert classify(raw) == label


@pytest.mark.parametrize("raw", ["Pneumonia/Viral/Adenovirus", "Suspected COVID-19", "Organizing Pneumonia", "Y"])
def test_unknown_findings_are_never_guessed(raw: str) -> None:
    with pytest.raises(UnknownFindingError, match="_taxonomy.toml") as caught:
        classify(raw)
    assert isinstance(caught.value, IntegrityError)


def test_ancestors() -> None:
    assert ancestors("covid19") == ("viral_pneumonia", "pneumonia", "lung_opacity", "abnormal")
    assert ancestors("h1n1") == ("influenza", "viral_pneumonia", "pneumonia", "lung_opacity", "abnormal")
    assert ancestors("tuberculosis") == ("abnormal",)
    assert ancestors("no_finding") == ()


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("covid19", "lung_opacity", True),
        ("pneumonia", "abnormal", True),
        ("no_finding", "abnormal", False),
        ("no_finding", "not_covid19", True),
        ("other_abnormality", "abnormal", True),
        ("other_abnormality", "tuberculosis", True),
        ("other_abnormality", "lung_opacity", False),
        ("other_abnormality", "covid19", False),
        ("other_abnormality", "no_finding", False),
        ("other_pneumonia", "covid19", False),
        ("other_pneumonia", "not_covid19", True),
        ("other_pneumonia", "influenza", True),
        ("other_pneumonia", "lung_opacity", True),
        ("other_pneumonia", "no_finding", False),
        ("other_pneumonia", "lung_nodule", False),
    ],
)
def test_which_findings_can_both_be_true(first: str, second: str, both: bool) -> None:
    assert agree(first, second) == agree(second, first) == both


def test_the_taxonomy_is_read_once() -> None:
    assert load_taxonomy() is load_taxonomy()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("classes = 3", "key 'classes': expected a list"),
        ("not toml", "not a TOML file"),
        ('[[classes]]\nid = "a"', "key 'classes.0..parent'"),
        ('[[classes]]\nid = "a"\nparent = "b"', "expected a wider class, found 'b'"),
        ('[[classes]]\nid = "a"\nparent = "a"', "expected a wider class, found 'a'"),
        ('[[classes]]\nid = "a"\nparent = ""\n[[classes]]\nid = "a"\nparent = ""', "found 'a' twice"),
        ('unlabelled = ["x"]\n[[classes]]\nid = "a"\nparent = ""\nsynonyms = ["X"]', "found 'x'"),
    ],
)
def test_bad_taxonomies_are_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "_taxonomy.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match=problem) as caught:
        read_taxonomy(path)
    assert str(path) in str(caught.value)
