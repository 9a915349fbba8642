from datetime import datetime

import numpy as np
import pytest
from shapely.geometry import shape

from landslide_cli.simulation.grids import make_layout
from landslide_cli.simulation.items import scene_item, scene_path
from landslide_cli.simulation.render import Acquisition

ACQUISITION = Acquisition(
    when=datetime(2021, 8, 9, 15, 17, 1),
    platform="S2A",
    baseline="03.01",
    after_event=False,
    cloud_share=0.1,
    sun_zenith_deg=25.0,
    sun_azimuth_deg=90.0,
)


def test_an_item_names_its_files_as_the_catalog_does() -> None:
    granule = make_layout((-72.0, 18.5), (120, 150)).granules[0]
    path = scene_path(granule, ACQUISITION, "B8A")
    tile = granule.tile
    assert path.startswith(f"18/Q/{tile[-2:]}/2021/08/09/S2A_MSIL2A_20210809T151701_N0301_R125_T{tile}_")
    assert path.endswith(f"/IMG_DATA/R20m/T{tile}_20210809T151701_B8A_20m.tif")
    item = scene_item(granule, ACQUISITION, np.full((10, 10), 4, np.uint8), lambda p: f"there/{p}")
    assert item["id"].startswith(f"S2A_MSIL2A_20210809T151701_R125_T{tile}_")
    assert item["assets"]["B8A"]["href"] == f"there/{path}"
    assert item["assets"]["B8A"]["eo:bands"][0]["name"] == "B8A"
    assert item["bbox"] == list(shape(item["geometry"]).bounds)


def test_percentages_are_of_the_observed_part() -> None:
    granule = make_layout((-72.0, 18.5), (120, 150)).granules[1]
    scl = np.array([[0, 0, 0, 0, 0], [4, 8, 9, 10, 3]], dtype=np.uint8)
    properties = scene_item(granule, ACQUISITION, scl, str)["properties"]
    assert properties["s2:nodata_pixel_percentage"] == 50.0
    assert properties["eo:cloud_cover"] == pytest.approx(60.0)
    assert properties["s2:vegetation_percentage"] == 20.0
    assert properties["proj:code"] == "EPSG:32619"
