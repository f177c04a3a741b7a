"""A small MIDRC-RICORD-1B: real names of a series or two of each site, phantoms as their slices.

One site compresses its files, one states no age, and one person has two studies.
"""

from covid_datasets.catalog.listing import read_listing
from tests.buckets import Collection, Tree, slices
from tests.sources import Expected

LISTING = "midrc_ricord_1b.tsv"
ROOT = "https://idc-open-data-cr.s3.amazonaws.com/"
PACKED, THICK, NO_AGE, SECOND, OTHER = (
    "0fd6cc33-5ba1-4c29-ac0e-b780fcf77446",
    "e322baf1-dd62-4658-a680-b66aae07e07f",
    "871c03af-db31-4de6-9443-20a59ad2bf91",
    "c65773e4-814b-420d-a58d-4735ded032eb",
    "3658c76f-48cd-4ad1-8a76-ebcff88ce767",
)


def tree() -> Tree:
    """Make the slices of each series; one stores its values without a sign."""
    listing = read_listing(LISTING)
    found = {name: slices(listing[name], 5) for name in (PACKED, NO_AGE, SECOND, OTHER)}
    found[THICK] = slices(listing[THICK], 4, PixelRepresentation=0)
    return {name: found[name] for name in listing if name in found}


_SMALL = Collection("midrc_ricord_1b", LISTING, ROOT, tree)
write_unpacked, write_packed, write_archives = _SMALL.unpacked, _SMALL.packed, _SMALL.archives
_UID = "1.2.826.0.1.3680043.10.474."
EXPECTED = {
    f"{PACKED}/0000.tiff": Expected(
        f"{_UID}419639.229158095893933518233687709859/0000", "419639-000340", "not_covid19", "test"
    ),
    f"{THICK}/0003.tiff": Expected(f"{_UID}954795.6969/0003", "440808-000037", "not_covid19", "train"),
    f"{NO_AGE}/0002.tiff": Expected(f"{_UID}660042.54733/0002", "660042-000224", "not_covid19", "validation"),
    f"{SECOND}/0002.tiff": Expected(f"{_UID}660042.54947/0002", "660042-000224", "not_covid19", "validation"),
}
write = write_unpacked
