"""The words of Croissant 1.1, of its extension for responsible AI, and of the vocabularies that it recommends.

From the specifications of 2026-01-29 (Croissant 1.1, its appendix 1) and 2024-03-06 (Croissant RAI 1.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CROISSANT = "http://mlcommons.org/croissant/1.1"
RAI = "http://mlcommons.org/croissant/RAI/1.0"
VERSIONS = ("http://mlcommons.org/croissant/1.0", CROISSANT)
"""What `conformsTo` may name; one of them has to be there."""
SCHEMA_ORG = ("https://schema.org/", "http://schema.org/")
"""Both spellings are in use; `mlcroissant` knows the first one, which we write."""

PREFIXES: Mapping[str, str] = {
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "duo": "http://purl.obolibrary.org/obo/DUO_",
}
_JSON = {"data": "cr:data", "examples": "cr:examples"}
_OF_CROISSANT = """
annotation arrayShape citeAs column containedIn equivalentProperty excludes extract field fileProperty fileObject
fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path readLines recordSet references regex
repeated replace samplingRate sdVersion separator source subField transform unArchive value
""".split()
"""Short keys that stand for words of Croissant; without their lines in the context they would be words of schema.org.

``path``, ``repeated``, ``replace`` and ``samplingRate`` are not in the specification, and `mlcroissant` wants them.
"""
NEW = frozenset(
    """
    annotation arrayShape containedIn equivalentProperty excludes isArray readLines samplingRate sdVersion unArchive
    value
    """.split()
)
"""Those that the context of Croissant 1.0 does not have."""
ALIASES: Mapping[str, Any] = {
    **{name: f"cr:{name}" for name in _OF_CROISSANT},
    **{name: {"@id": iri, "@type": "@json"} for name, iri in _JSON.items()},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "conformsTo": "dct:conformsTo",
}
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{name: PREFIXES[name] for name in ("sc", "cr", "rai", "dct", "prov", "odrl", "duo")},
    **dict(sorted(ALIASES.items())),
    # Texts in several languages are tables by language; plain texts are of the language above.
    "name": {"@container": "@language"},
    "description": {"@container": "@language"},
}

RAI_TERMS = """
dataCollection dataCollectionType dataCollectionMissingData dataCollectionRawData dataCollectionTimeframe
dataImputationProtocol dataManipulationProtocol dataPreprocessingProtocol dataAnnotationProtocol dataAnnotationPlatform
dataAnnotationAnalysis dataReleaseMaintenancePlan personalSensitiveInformation dataSocialImpact dataBiases
dataLimitations dataUseCases annotationsPerItem annotatorDemographics machineAnnotationTools hasSyntheticData
""".split()
RAI_REQUIRED = """
dataCollection dataBiases dataLimitations personalSensitiveInformation dataUseCases dataSocialImpact hasSyntheticData
""".split()
"""What benchmark tracks ask for."""
PROV_TERMS = """
wasDerivedFrom wasGeneratedBy wasAttributedTo wasAssociatedWith wasInfluencedBy wasRevisionOf wasQuotedFrom
hadPrimarySource alternateOf specializationOf used startedAtTime endedAtTime generatedAtTime atLocation label value type
hadMember wasInformedBy actedOnBehalfOf qualifiedDerivation entity agent activity Entity Activity Agent Person
Organization SoftwareAgent Collection hadRole Location
""".split()
ODRL_TERMS = """
permission prohibition obligation duty action constraint target assigner assignee uid profile leftOperand operator
rightOperand refinement consequence remedy Offer Agreement Set Policy Permission Prohibition Duty Constraint Action eq
isA isAnyOf use distribute derive commercialize reproduce attribute purpose spatial dateTime
""".split()
VOCABULARIES: Mapping[str, frozenset[str]] = {
    "rai": frozenset(RAI_TERMS),
    "prov": frozenset(PROV_TERMS),
    "odrl": frozenset(ODRL_TERMS),
    "cr": frozenset([*_OF_CROISSANT, "data", "examples", "dataType"]),
    "dct": frozenset(("conformsTo", "license", "rights", "source", "identifier", "title", "description", "creator")),
}
"""Prefix -> the words that may follow it as a key; those of other vocabularies are their readers' to check."""

# Whatever class a value belongs to, one of these has to say how it is read.
DATA_TYPES = frozenset(
    [f"sc:{name}" for name in "Boolean Date DateTime Time Float Integer Number Text URL".split()]
    + [f"sc:{name}" for name in "ImageObject AudioObject VideoObject GeoCoordinates GeoShape Enumeration".split()]
    + [f"cr:{name}" for name in "BoundingBox SegmentationMask Label Split".split()]
    + [f"cr:{kind}{bits}" for kind, sizes in (("Int", (8, 16, 32, 64)), ("UInt", (8, 16, 32, 64))) for bits in sizes]
    + [f"cr:Float{bits}" for bits in (16, 32, 64)]
)
SPLITS: Mapping[str, str] = {
    "train": "cr:TrainingSplit",
    "validation": "cr:ValidationSplit",
    "test": "cr:TestSplit",
}
