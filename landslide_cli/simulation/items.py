"""Makes STAC items as the Planetary Computer writes them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from rasterio.warp import transform_geom
from shapely import MultiPoint
from shapely.geometry import mapping, shape

from landslide_cli.geo.bands import BAND_GSD_M, BANDS, GSD_M, SCL
from landslide_cli.simulation.arrays import Codes
from landslide_cli.simulation.grids import COARSEST_M, Granule, epsg_of
from landslide_cli.simulation.render import Acquisition

Item = dict[str, Any]
HrefOf = Callable[[str], str]

SCL_GSD_M: Final = 20
COG_TYPE: Final = "image/tiff; application=geotiff; profile=cloud-optimized"
GENERATED_AFTER: Final = timedelta(hours=9)
"""Time between a scene and its processing."""

RELATIVE_ORBIT: Final = 125
"""All scenes of an event have this orbit."""

_EXTENSIONS: Final = [
    "https://stac-extensions.github.io/eo/v1.0.0/schema.json",
    "https://stac-extensions.github.io/sat/v1.0.0/schema.json",
    "https://stac-extensions.github.io/projection/v1.0.0/schema.json",
]

# Common name, purpose of the band, centre wavelength and width in micrometres.
_EO: Final = {
    "B01": ("coastal", "Coastal aerosol", 0.443, 0.027),
    "B02": ("blue", "Blue", 0.490, 0.098),
    "B03": ("green", "Green", 0.560, 0.045),
    "B04": ("red", "Red", 0.665, 0.038),
    "B05": ("rededge", "Vegetation red edge 1", 0.704, 0.019),
    "B06": ("rededge", "Vegetation red edge 2", 0.740, 0.018),
    "B07": ("rededge", "Vegetation red edge 3", 0.783, 0.028),
    "B08": ("nir", "NIR", 0.842, 0.145),
    "B8A": ("rededge", "Vegetation red edge 4", 0.865, 0.033),
    "B09": (None, "Water vapor", 0.945, 0.026),
    "B11": ("swir16", "SWIR (1.6)", 1.610, 0.143),
    "B12": ("swir22", "SWIR (2.2)", 2.190, 0.242),
}

# Property for the percentage of each class, without nodata.
_PERCENTAGES: Final = {
    SCL.SATURATED: "s2:saturated_defective_pixel_percentage",
    SCL.DARK: "s2:dark_features_percentage",
    SCL.CLOUD_SHADOW: "s2:cloud_shadow_percentage",
    SCL.VEGETATION: "s2:vegetation_percentage",
    SCL.NOT_VEGETATED: "s2:not_vegetated_percentage",
    SCL.WATER: "s2:water_percentage",
    SCL.UNCLASSIFIED: "s2:unclassified_percentage",
    SCL.CLOUD_MEDIUM: "s2:medium_proba_clouds_percentage",
    SCL.CLOUD_HIGH: "s2:high_proba_clouds_percentage",
    SCL.THIN_CIRRUS: "s2:thin_cirrus_percentage",
    SCL.SNOW: "s2:snow_ice_percentage",
}


def asset_gsd_m(key: str) -> int:
    """Return the GSD in metres of a band or of `SCL`."""
    return BAND_GSD_M.get(key, SCL_GSD_M)


def scene_path(granule: Granule, acquisition: Acquisition, key: str) -> str:
    """Return the path of an asset in the container of the Planetary Computer; `key` is a band or `SCL`."""
    when = acquisition.when
    tile = granule.tile
    gsd = f"{asset_gsd_m(key)}m"
    return (
        f"{int(tile[:-3])}/{tile[-3]}/{tile[-2:]}/{when:%Y/%m/%d}/{_product(granule, acquisition)}.SAFE/GRANULE/"
        f"L2A_T{tile}_A{_absolute_orbit(acquisition):06d}_{when:%Y%m%dT%H%M%S}/IMG_DATA/R{gsd}/"
        f"T{tile}_{when:%Y%m%dT%H%M%S}_{key}_{gsd}.tif"
    )


def scene_item(granule: Granule, acquisition: Acquisition, scl: Codes, href_of: HrefOf) -> Item:
    """Make the item of one granule.

    Args:
        granule: the granule.
        acquisition: when and how the scene is taken.
        scl: (h, w) uint8, SCL of the whole granule.
        href_of: turns the path of an asset in the container into its href.

    Returns:
        The item as GeoJSON.
    """
    when, platform = acquisition.when, acquisition.platform
    product = _product(granule, acquisition)
    made = when + GENERATED_AFTER
    counts = np.bincount(scl.ravel(), minlength=len(SCL)).astype(float)
    seen = max(counts[1:].sum(), 1.0)
    percent = {name: round(100.0 * counts[code] / seen, 6) for code, name in _PERCENTAGES.items()}
    clouds = (SCL.CLOUD_MEDIUM, SCL.CLOUD_HIGH, SCL.THIN_CIRRUS)
    epsg = epsg_of(granule.grid)
    geometry = footprint(granule)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": list(_EXTENSIONS),
        "id": f"{platform}_MSIL2A_{when:%Y%m%dT%H%M%S}_R{RELATIVE_ORBIT:03d}_T{granule.tile}_{made:%Y%m%dT%H%M%S}",
        "collection": "sentinel-2-l2a",
        "geometry": geometry,
        "bbox": list(shape(geometry).bounds),
        "links": [],
        "properties": {
            "datetime": f"{when:%Y-%m-%dT%H:%M:%S}.024000Z",
            "platform": f"Sentinel-2{platform[-1]}",
            "constellation": "Sentinel 2",
            "instruments": ["msi"],
            "proj:epsg": epsg,
            "proj:code": f"EPSG:{epsg}",
            "sat:orbit_state": "descending",
            "sat:relative_orbit": RELATIVE_ORBIT,
            "eo:cloud_cover": round(sum(percent[_PERCENTAGES[code]] for code in clouds), 6),
            "s2:mgrs_tile": granule.tile,
            "s2:processing_baseline": acquisition.baseline,
            "s2:product_type": "S2MSI2A",
            "s2:product_uri": f"{product}.SAFE",
            "s2:datatake_id": (
                f"G{platform}_{when:%Y%m%dT%H%M%S}_{_absolute_orbit(acquisition):06d}_N{acquisition.baseline}"
            ),
            "s2:datatake_type": "INS-NOBS",
            "s2:generation_time": f"{made:%Y-%m-%dT%H:%M:%S}.000Z",
            "s2:mean_solar_zenith": acquisition.sun_zenith_deg,
            "s2:mean_solar_azimuth": acquisition.sun_azimuth_deg,
            "s2:nodata_pixel_percentage": round(100.0 * counts[SCL.NODATA] / scl.size, 6),
            **percent,
        },
        "assets": {
            key: _asset(key, granule.grid, href_of(scene_path(granule, acquisition, key))) for key in (*BANDS, "SCL")
        },
    }


def elevation_item(name: str, grid: GeoBox, href: str) -> Item:
    """Make the item of one `alos-dem` tile on an EPSG:4326 grid."""
    geometry = mapping(grid.extent.geom)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [_EXTENSIONS[-1]],
        "id": name,
        "collection": "alos-dem",
        "geometry": geometry,
        "bbox": list(grid.extent.geom.bounds),
        "links": [],
        "properties": {
            "datetime": "2016-12-07T00:00:00Z",
            "gsd": 30,
            "proj:epsg": 4326,
            "proj:code": "EPSG:4326",
            **_projection(grid),
        },
        "assets": {"data": {"href": href, "type": COG_TYPE, "title": "Elevation", "roles": ["data"]}},
    }


def footprint(granule: Granule) -> dict[str, Any]:
    """Return the polygon of the part of a granule with data, as GeoJSON in EPSG:4326."""
    coarse = granule.grid.zoom_out(COARSEST_M // GSD_M)
    observed = granule.valid.astype(np.uint8)
    corners = [
        point
        for geometry, _ in shapes(observed, mask=granule.valid, transform=coarse.transform)
        for point in geometry["coordinates"][0]
    ]
    hull = MultiPoint(corners).convex_hull.simplify(COARSEST_M / 2)
    geometry: dict[str, Any] = transform_geom(granule.grid.crs, "EPSG:4326", mapping(hull), precision=8)
    return {"type": geometry["type"], "coordinates": geometry["coordinates"]}


def _asset(key: str, grid: GeoBox, href: str) -> dict[str, Any]:
    gsd = asset_gsd_m(key)
    asset: dict[str, Any] = {
        "href": href,
        "type": COG_TYPE,
        "roles": ["data"],
        "gsd": float(gsd),
        **_projection(grid.zoom_out(gsd // GSD_M)),
    }
    if key not in _EO:
        return {**asset, "title": "Scene classfication map (SCL)"}  # spelled as in the real catalog
    common, purpose, wavelength_um, width_um = _EO[key]
    number = key[1:].lstrip("0")
    band: dict[str, Any] = {
        "name": key,
        "common_name": common,
        "description": f"Band {number} - {purpose}",
        "center_wavelength": wavelength_um,
        "full_width_half_max": width_um,
    }
    if common is None:
        del band["common_name"]
    return {**asset, "title": f"Band {number} - {purpose} - {gsd}m", "eo:bands": [band]}


def _projection(grid: GeoBox) -> dict[str, Any]:
    transform: Affine = grid.transform
    return {
        "proj:bbox": list(grid.boundingbox.bbox),
        "proj:shape": list(grid.shape),
        "proj:transform": list(transform)[:6],
    }


def _product(granule: Granule, acquisition: Acquisition) -> str:
    when = acquisition.when
    return (
        f"{acquisition.platform}_MSIL2A_{when:%Y%m%dT%H%M%S}_N{acquisition.baseline.replace('.', '')}_"
        f"R{RELATIVE_ORBIT:03d}_T{granule.tile}_{when + GENERATED_AFTER:%Y%m%dT%H%M%S}"
    )


def _absolute_orbit(acquisition: Acquisition) -> int:
    # 143 orbits in 10 days since the launch year. The number only has to look right and to differ by date.
    return int((acquisition.when.toordinal() - 735_772) * 14.3)
