"""The landslide inventories of the paper (table 1): location, authors and licence."""

from dataclasses import dataclass
from typing import Final

PAPER_REPOSITORY: Final = "https://github.com/links-ads/igarss-landslide-delineation"
"""Page at which the paper shares its landslide database (section 5)."""

SEE_SOURCE: Final = "not stated here; see the source"


@dataclass(frozen=True, slots=True)
class Inventory:
    """A published landslide inventory."""

    name: str
    region: str
    event: str
    """The trigger of the landslides."""
    first_date: str
    last_date: str
    """First and last possible ISO date of the landslides."""
    landslides: int
    """Number of polygons in table 1 of the paper."""
    citation: tuple[str, ...]
    """The publications, as the paper cites them."""
    source: str
    """Page to start from."""
    licence: str = SEE_SOURCE
    download: str | None = None
    """Link to the file; None if only the page is known."""
    sha256: str | None = None
    """Checksum of the file; None if it is not known yet."""


INVENTORIES: Final = (
    Inventory(
        name="haiti",
        region="Tiburon peninsula, Haiti",
        event="M7.2 earthquake of 14 August 2021, then the rain of Hurricane Grace on 17 August",
        first_date="2021-08-14",
        last_date="2021-08-17",
        landslides=14_482,
        citation=("Amatya et al. 2023, Natural Hazards 118, 2337-2375",),
        source=PAPER_REPOSITORY,
    ),
    Inventory(
        name="palu",
        region="Central Sulawesi, Indonesia",
        event="M7.5 earthquake",
        first_date="2018-09-28",
        last_date="2018-09-28",
        landslides=6_749,
        citation=(
            "Zhao 2021, Engineering Geology 294, 106406, https://doi.org/10.1016/j.enggeo.2021.106406",
            "Tanyas et al. 2021, Bulletin of Engineering Geology and the Environment 80, 4323-4345",
        ),
        source=PAPER_REPOSITORY,
    ),
    Inventory(
        name="luding",
        region="Luding county, China",
        event="M6.8 earthquake",
        first_date="2022-09-05",
        last_date="2022-09-05",
        landslides=8_194,
        citation=(
            "Zhang et al. 2023, Journal of Mountain Science 20, 607-623",
            "Liu et al. 2023, Landslides 20, 1667-1678",
            "Huang et al. 2023, Earthquake Research Advances 3, 100181",
        ),
        source=PAPER_REPOSITORY,
    ),
    Inventory(
        name="mesetas",
        region="Mesetas, Colombia",
        event="M5.7 earthquake",
        first_date="2019-12-24",
        last_date="2019-12-24",
        landslides=838,
        citation=("Garcia-Delgado et al. 2021, 13th International Symposium on Landslides",),
        source="https://www.sciencebase.gov/catalog/item/61ead1f5d34e8b818ad9f37f",
        licence="CC BY",
        # The copy of the authors of the paper, at the commit that added it.
        download="https://raw.githubusercontent.com/links-ads/igarss-landslide-delineation/"
        "aa61c8a07e50d2e0444ba79e7c737930c14ca446/inventories/colombia_landslides.gpkg",
    ),
    Inventory(
        name="iburi",
        region="Iburi, Hokkaido, Japan",
        event="M6.6 earthquake",
        first_date="2018-09-06",
        last_date="2018-09-06",
        landslides=4_657,
        citation=(
            "Zhang et al. 2019, Landslides 16, 1691-1708, https://doi.org/10.1007/s10346-019-01207-6",
            "Wang et al. 2019, Landslides 16, 1551-1566",
        ),
        source="https://zenodo.org/record/2577300",
    ),
)
