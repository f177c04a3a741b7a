"""The reference of the public names, from their docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import covid_datasets

GROUPS: dict[str, tuple[str, ...]] = {
    "Find and load": ("list_datasets", "info", "load_dataset", "label_table", "search", "OwnData", "Card"),
    "Build": ("build_dataset", "find_build", "check", "verify", "make_mirror", "cache_contents", "clean_cache", "Built",
              "Check"),
    "Batches": ("to_torch", "to_numpy", "to_tf", "collate", "Augment"),
    "Splits": ("load_splits", "about_splits", "patient_subset", "group_folds", "propose_splits"),
    "Look and doubt": ("report", "audit", "overlaps", "confounding", "paper_table", "attribution", "Report", "Audit",
                       "Confounding", "Attribution"),
    "Train and score": ("train", "predict", "evaluate", "evaluate_masks", "compare", "explain", "few_shot",
                        "image_features", "feature_importance", "Evaluation", "MaskEvaluation", "Comparison",
                        "Explained", "FewShot", "Importance"),
    "Lungs and infection": ("lung_mask", "infection_mask", "learned_lungs", "learned_infection", "quantify",
                            "crop_to_chest", "segment_folder", "SegmentedFolder"),
    "Derived datasets": ("derives", "Derived", "Sample"),
    "Write and describe": ("export", "Exported", "croissant", "check_croissant", "deidentify", "Deidentified"),
    "Errors": ("CovidDatasetsError", "AccessRequired"),
}  # fmt: skip
"""Public names by what they are for; a test holds that each is here once."""


def reference() -> str:
    """Write the page, for Sphinx to fill with docstrings."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from ("API reference", "=============", "")
    yield from ("All of it is imported from ``covid_datasets``. Every example is run by the tests.", "")
    for title, names in GROUPS.items():
        yield from (title, "-" * len(title), "")
        for name in names:
            kind = "autoclass" if inspect.isclass(getattr(covid_datasets, name)) else "autofunction"
            yield f".. {kind}:: covid_datasets.{name}"
            if kind == "autoclass":
                yield "   :members:"
            yield ""
