"""What each node of a description may hold, must hold, and holds once: the tables that `check` goes by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from covid_datasets.exports.croissant.vocabulary import RAI_REQUIRED

_THING = """
additionalType alternateName description disambiguatingDescription identifier image mainEntityOfPage name
potentialAction sameAs subjectOf url
"""
_CREATIVE_WORK = """
about abstract accessMode accessModeSufficient accessibilityAPI accessibilityControl accessibilityFeature
accessibilityHazard accessibilitySummary accountablePerson acquireLicensePage aggregateRating alternativeHeadline
archivedAt assesses associatedMedia audience audio author award character citation comment commentCount
conditionsOfAccess contentLocation contentRating contentReferenceTime contributor copyrightHolder copyrightNotice
copyrightYear correction countryOfOrigin creativeWorkStatus creator creditText dateCreated dateModified datePublished
digitalSourceType discussionUrl editEIDR editor educationalAlignment educationalLevel educationalUse encoding
encodingFormat exampleOfWork expires funder funding genre hasPart headline inLanguage interactionStatistic
interactivityType interpretedAsClaim isAccessibleForFree isBasedOn isFamilyFriendly isPartOf keywords
learningResourceType license locationCreated mainEntity maintainer material materialExtent mentions offers pattern
position producer provider publication publisher publisherImprint publishingPrinciples recordedAt releasedEvent review
schemaVersion sdDatePublished sdLicense sdPublisher size sourceOrganization spatial spatialCoverage sponsor teaches
temporal temporalCoverage text thumbnail thumbnailUrl timeRequired translationOfWork translator typicalAgeRange
usageInfo version video wordCount workExample workTranslation
"""
_DATASET = """
distribution includedInDataCatalog issn measurementMethod measurementTechnique variableMeasured conformsTo
recordSet isLiveDataset citeAs sdVersion
"""
_MEDIA = """
bitrate contentSize contentUrl duration embedUrl endTime height ineligibleRegion playerType productionCompany
regionsAllowed requiresSubscription sha256 startTime uploadDate width measurementMethod measurementTechnique
containedIn source md5
"""
_PERSON = """
additionalName address affiliation alumniOf birthDate colleague contactPoint email familyName funder gender givenName
hasOccupation honorificPrefix honorificSuffix jobTitle knowsAbout memberOf nationality sponsor telephone worksFor
"""
_ORGANIZATION = """
address alumni areaServed brand contactPoint department email employee founder foundingDate funder legalName location
logo member memberOf parentOrganization publishingPrinciples sponsor subOrganization taxID telephone vatID
"""


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


@dataclass(frozen=True, slots=True)
class Rule:
    """What a node of one type may hold, what it needs, and what it may hold only once."""

    known: frozenset[str]
    required: tuple[str, ...] = ()
    once: frozenset[str] = frozenset()


RULES: Mapping[str, Rule] = {
    "Dataset": Rule(
        _words(_THING, _CREATIVE_WORK, _DATASET),
        required=(
            *"@context @type conformsTo name description license url creator datePublished distribution".split(),
            *(f"rai:{name}" for name in RAI_REQUIRED),
        ),
        once=_words("description url datePublished dateCreated dateModified version citeAs sdVersion isLiveDataset"),
    ),
    "FileObject": Rule(
        _words(_THING, _CREATIVE_WORK, _MEDIA),
        required=("@id", "contentUrl", "encodingFormat"),
        once=_words("name description contentUrl contentSize sha256 md5"),
    ),
    "FileSet": Rule(
        _words(_THING, _CREATIVE_WORK, _MEDIA, "includes excludes"),
        required=("@id", "encodingFormat", "includes"),
        once=_words("name description"),
    ),
    "RecordSet": Rule(
        _words(_THING, "field key data examples annotation dataType"),
        required=("@id", "field"),
        once=_words("name description"),
    ),
    "Field": Rule(
        _words(
            _THING,
            "source dataType value isArray arrayShape equivalentProperty references subField parentField annotation",
            "repeated",
        ),
        required=("@id",),
        once=_words("name description source value isArray arrayShape"),
    ),
    "DataSource": Rule(
        _words("fileObject fileSet recordSet field extract transform format samplingRate"),
        once=_words("fileObject fileSet recordSet field extract format"),
    ),
    "Extract": Rule(_words("fileProperty column jsonPath")),
    "Transform": Rule(_words("separator readLines unArchive regex jsonPath format replace samplingRate delimiter")),
    "Person": Rule(_words(_THING, _PERSON), required=("name",)),
    "Organization": Rule(_words(_THING, _ORGANIZATION), required=("name",)),
    "CreativeWork": Rule(_words(_THING, _CREATIVE_WORK)),
    "DefinedTerm": Rule(_words(_THING, "inDefinedTermSet termCode"), required=("name",)),
    "PropertyValue": Rule(
        _words(
            _THING,
            "maxValue measurementMethod measurementTechnique minValue propertyID unitCode unitText value",
            "valueReference",
        ),
        required=("value",),
    ),
}
RAI_ONCE = frozenset(
    """
    dataCollection dataCollectionMissingData dataCollectionRawData dataImputationProtocol dataManipulationProtocol
    dataAnnotationProtocol dataSocialImpact annotationsPerItem hasSyntheticData
    """.split()
)
FILE_PROPERTIES = ("fullpath", "filename", "content", "lines", "lineNumbers")
READABLE = frozenset(
    """
    text/csv text/tab-separated-values text/plain application/json application/jsonlines application/x-parquet
    image/jpeg image/png image/tiff image/dicom audio/mpeg video/mp4 application/zip application/x-tar
    application/gzip git+https https://ml.cms.waikato.ac.nz/weka/arff.html
    """.split()
)
"""What `mlcroissant` can read records from; it says so only when somebody loads them."""

SIZE = re.compile(r"[0-9]+(\.[0-9]+)? ?([kKMGTP]i?)?B?", re.ASCII)
DATE = re.compile(
    r"([0-9]{4})(-[0-9]{2}(-[0-9]{2})?)?(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII,
)
HASHES: Mapping[str, str] = {
    "sha256": r"[0-9a-fA-F]{64}|[0-9A-Za-z+/]{43}=",
    "md5": r"[0-9a-fA-F]{32}|[0-9A-Za-z+/]{22}==",
}
"""Hexadecimal digits, or the base64 that loaders take as well."""
