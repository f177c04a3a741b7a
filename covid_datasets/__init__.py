"""Every public COVID-19 imaging source behind one call: verified, harmonised, patient-disjoint.

>>> import covid_datasets
>>> covid_datasets.info("phantom").modalities
('CT', 'CXR')
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from covid_datasets.audits.anybody import audit as audit
    from covid_datasets.audits.confounding import confounding as confounding
    from covid_datasets.audits.overlaps import overlaps as overlaps
    from covid_datasets.audits.report import Audit as Audit
    from covid_datasets.audits.traits.report import Confounding as Confounding
    from covid_datasets.baselines.evaluate.compare import Comparison as Comparison
    from covid_datasets.baselines.evaluate.compare import compare as compare
    from covid_datasets.baselines.evaluate.masks import MaskEvaluation as MaskEvaluation
    from covid_datasets.baselines.evaluate.masks import evaluate_masks as evaluate_masks
    from covid_datasets.baselines.evaluate.report import Evaluation as Evaluation
    from covid_datasets.baselines.evaluate.score import evaluate as evaluate
    from covid_datasets.baselines.explain.run import Explained as Explained
    from covid_datasets.baselines.explain.run import explain as explain
    from covid_datasets.baselines.features.importance import Importance as Importance
    from covid_datasets.baselines.features.importance import feature_importance as feature_importance
    from covid_datasets.baselines.features.table import image_features as image_features
    from covid_datasets.baselines.few.report import FewShot as FewShot
    from covid_datasets.baselines.few.run import few_shot as few_shot
    from covid_datasets.baselines.segment.learned import learned_infection as learned_infection
    from covid_datasets.baselines.segment.learned import learned_lungs as learned_lungs
    from covid_datasets.baselines.train.predict import predict as predict
    from covid_datasets.baselines.train.run import train as train
    from covid_datasets.cache import cache_contents as cache_contents
    from covid_datasets.cache import clean_cache as clean_cache
    from covid_datasets.catalog.card import Card as Card
    from covid_datasets.catalog.cards import info as info
    from covid_datasets.catalog.overview import list_datasets as list_datasets
    from covid_datasets.catalog.own import OwnData as OwnData
    from covid_datasets.contribute.publish import propose_splits as propose_splits
    from covid_datasets.errors import AccessRequired as AccessRequired
    from covid_datasets.errors import CovidDatasetsError as CovidDatasetsError
    from covid_datasets.exports.croissant.check import check_croissant as check_croissant
    from covid_datasets.exports.croissant.describe import croissant as croissant
    from covid_datasets.exports.export import Exported as Exported
    from covid_datasets.exports.export import export as export
    from covid_datasets.load.collate import collate as collate
    from covid_datasets.load.dataset import load_dataset as load_dataset
    from covid_datasets.load.fixed.make import to_numpy as to_numpy
    from covid_datasets.load.fixed.to_torch import to_torch as to_torch
    from covid_datasets.load.paper import paper_table as paper_table
    from covid_datasets.load.search import search as search
    from covid_datasets.load.splits import about_splits as about_splits
    from covid_datasets.load.splits import load_splits as load_splits
    from covid_datasets.load.to_tf import to_tf as to_tf
    from covid_datasets.load.verify import verify as verify
    from covid_datasets.own.deidentify.folder import deidentify as deidentify
    from covid_datasets.own.deidentify.report import Deidentified as Deidentified
    from covid_datasets.own.segment.folder import segment_folder as segment_folder
    from covid_datasets.own.segment.report import SegmentedFolder as SegmentedFolder
    from covid_datasets.prepare.engine import build_dataset as build_dataset
    from covid_datasets.prepare.find import find_build as find_build
    from covid_datasets.prepare.result import Built as Built
    from covid_datasets.raw.check import Check as Check
    from covid_datasets.raw.check import check as check
    from covid_datasets.raw.obtain import make_mirror as make_mirror
    from covid_datasets.splits.subset import group_folds as group_folds
    from covid_datasets.splits.subset import patient_subset as patient_subset
    from covid_datasets.transforms.derive.contract import Derived as Derived
    from covid_datasets.transforms.derive.contract import Sample as Sample
    from covid_datasets.transforms.derive.contract import derives as derives
    from covid_datasets.transforms.joint.augment import Augment as Augment
    from covid_datasets.transforms.segment.chest import crop_to_chest as crop_to_chest
    from covid_datasets.transforms.segment.infection import infection_mask as infection_mask
    from covid_datasets.transforms.segment.lungs import lung_mask as lung_mask
    from covid_datasets.transforms.segment.quantify import quantify as quantify
    from covid_datasets.view.attribution import Attribution as Attribution
    from covid_datasets.view.attribution import attribution as attribution
    from covid_datasets.view.labels import label_table as label_table
    from covid_datasets.view.report.report import Report as Report
    from covid_datasets.view.report.report import report as report

__version__ = "0.1.0"

_HOMES = {
    "AccessRequired": "covid_datasets.errors",
    "Attribution": "covid_datasets.view.attribution",
    "Audit": "covid_datasets.audits.report",
    "Augment": "covid_datasets.transforms.joint.augment",
    "Built": "covid_datasets.prepare.result",
    "Card": "covid_datasets.catalog.card",
    "Check": "covid_datasets.raw.check",
    "Comparison": "covid_datasets.baselines.evaluate.compare",
    "Confounding": "covid_datasets.audits.traits.report",
    "CovidDatasetsError": "covid_datasets.errors",
    "Deidentified": "covid_datasets.own.deidentify.report",
    "Derived": "covid_datasets.transforms.derive.contract",
    "Evaluation": "covid_datasets.baselines.evaluate.report",
    "Explained": "covid_datasets.baselines.explain.run",
    "Exported": "covid_datasets.exports.export",
    "MaskEvaluation": "covid_datasets.baselines.evaluate.masks",
    "Importance": "covid_datasets.baselines.features.importance",
    "FewShot": "covid_datasets.baselines.few.report",
    "OwnData": "covid_datasets.catalog.own",
    "Report": "covid_datasets.view.report.report",
    "Sample": "covid_datasets.transforms.derive.contract",
    "SegmentedFolder": "covid_datasets.own.segment.report",
    "about_splits": "covid_datasets.load.splits",
    "attribution": "covid_datasets.view.attribution",
    "audit": "covid_datasets.audits.anybody",
    "build_dataset": "covid_datasets.prepare.engine",
    "cache_contents": "covid_datasets.cache",
    "check": "covid_datasets.raw.check",
    "check_croissant": "covid_datasets.exports.croissant.check",
    "clean_cache": "covid_datasets.cache",
    "collate": "covid_datasets.load.collate",
    "compare": "covid_datasets.baselines.evaluate.compare",
    "confounding": "covid_datasets.audits.confounding",
    "croissant": "covid_datasets.exports.croissant.describe",
    "crop_to_chest": "covid_datasets.transforms.segment.chest",
    "deidentify": "covid_datasets.own.deidentify.folder",
    "derives": "covid_datasets.transforms.derive.contract",
    "evaluate": "covid_datasets.baselines.evaluate.score",
    "evaluate_masks": "covid_datasets.baselines.evaluate.masks",
    "explain": "covid_datasets.baselines.explain.run",
    "export": "covid_datasets.exports.export",
    "feature_importance": "covid_datasets.baselines.features.importance",
    "few_shot": "covid_datasets.baselines.few.run",
    "find_build": "covid_datasets.prepare.find",
    "group_folds": "covid_datasets.splits.subset",
    "image_features": "covid_datasets.baselines.features.table",
    "infection_mask": "covid_datasets.transforms.segment.infection",
    "info": "covid_datasets.catalog.cards",
    "label_table": "covid_datasets.view.labels",
    "learned_infection": "covid_datasets.baselines.segment.learned",
    "learned_lungs": "covid_datasets.baselines.segment.learned",
    "list_datasets": "covid_datasets.catalog.overview",
    "load_dataset": "covid_datasets.load.dataset",
    "load_splits": "covid_datasets.load.splits",
    "lung_mask": "covid_datasets.transforms.segment.lungs",
    "make_mirror": "covid_datasets.raw.obtain",
    "overlaps": "covid_datasets.audits.overlaps",
    "paper_table": "covid_datasets.load.paper",
    "patient_subset": "covid_datasets.splits.subset",
    "predict": "covid_datasets.baselines.train.predict",
    "propose_splits": "covid_datasets.contribute.publish",
    "quantify": "covid_datasets.transforms.segment.quantify",
    "report": "covid_datasets.view.report.report",
    "search": "covid_datasets.load.search",
    "segment_folder": "covid_datasets.own.segment.folder",
    "to_numpy": "covid_datasets.load.fixed.make",
    "to_tf": "covid_datasets.load.to_tf",
    "to_torch": "covid_datasets.load.fixed.to_torch",
    "train": "covid_datasets.baselines.train.run",
    "verify": "covid_datasets.load.verify",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing the package stays cheap."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'covid_datasets' has no attribute {name!r}{_meant(name)}")


def _meant(name: str) -> str:
    """Name the public name that may have been meant; tools ask for private ones that no module has."""
    from covid_datasets.errors import did_you_mean

    return "" if name.startswith("_") else did_you_mean(name, _HOMES)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
