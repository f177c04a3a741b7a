"""Manufacturers: one spelling each, and what nobody knows as it is written."""

from __future__ import annotations

import pytest

from covid_datasets.catalog.equipment import manufacturer


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("SIEMENS", "Siemens"),
        ("Siemens Healthineers", "Siemens"),
        ("siemens_healthineers", "Siemens"),
        ("Philips", "Philips"),
        ("PHILIPS Medical Systems", "Philips"),
        ("Philips Healthcare", "Philips"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ('"GE Healthcare"', "GE"),
        ("GE Health Care", "GE"),
        (" GE ", "GE"),
        ("TOSHIBA_MEC", "Toshiba"),
        ("Canon Inc.", "Canon"),
        ("CANON_MEC", "Canon"),
        ("FUJI PHOTO FILM Co., ltd.", "Fujifilm"),
        ("FUJIFILM Corporation", "Fujifilm"),
        ("KONICA MINOLTA", "Konica Minolta"),
        ("Agfa-Gevaert", "Agfa"),
        ("Carestream Health", "Carestream"),
        ("UIH", "United Imaging"),
        ("(X)MedCon", "(X)MedCon"),
        ("Genoray", "Genoray"),
        ("Uihlein", "Uihlein"),
        ("  Imaging Dynamics Company Ltd ", "Imaging Dynamics Company Ltd"),
        ("", None),
        (None, None),
    ],
)
def test_one_spelling(said: str | None, wanted: str | None) -> None:
    assert manufacturer(said) == wanted


def test_it_is_stable() -> None:
    for said in ("SIEMENS", "GE MEDICAL SYSTEMS", "KONICA MINOLTA", "UIH", "(X)MedCon"):
        assert manufacturer(manufacturer(said)) == manufacturer(said)
