"""Codes of a map are laid on the grid of an elevation model, and mean what the user says."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import write_raster
from rasterio.warp import transform

from landslide_cli.errors import InputError
from landslide_cli.simulation.landcover import UNKNOWN, Cover, name_of, parse_classes, read_cover

SHAPE = (60, 80)


@pytest.fixture
def dem(tmp_path: Path) -> Path:
    return write_raster(tmp_path / "dem.tif", np.full(SHAPE, 500, np.float32), pixel=30)


def halves(west: int, east: int) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    codes = np.full(SHAPE, west, np.int16)
    codes[:, SHAPE[1] // 2 :] = east
    return codes


def test_codes_are_those_of_worldcover_unless_told(dem: Path, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "cover.tif", halves(10, 80), pixel=30, nodata=-9999)
    cover = read_cover(path, dem)
    assert cover is not None
    assert cover.dtype == np.uint8
    assert cover.shape == SHAPE
    assert (cover == halves(Cover.TREES, Cover.WATER)).all()
    told = read_cover(path, dem, parse_classes(["80=built-up"]))
    assert told is not None
    assert (told == halves(UNKNOWN, Cover.BUILT_UP)).all()


def test_a_map_in_another_reference_system_lies_in_the_same_place(dem: Path, tmp_path: Path) -> None:
    with rasterio.open(dem) as source:
        middle, crs = source.xy(SHAPE[0] // 2, SHAPE[1] // 2, offset="ul"), source.crs
    (longitude,), (latitude,) = transform(crs, "EPSG:4326", [middle[0]], [middle[1]])
    # Cells of about 30 m that meet in the middle; the corner in the north-west is another class.
    codes = np.full((200, 200), 30, np.uint8)
    codes[:100, :100] = 10
    path = write_raster(
        tmp_path / "degrees.tif", codes, crs="EPSG:4326", pixel=0.0003,
        origin=(longitude - 0.03, latitude + 0.03), nodata=None,
    )  # fmt: skip
    cover = read_cover(path, dem)
    assert cover is not None
    rows, columns = np.indices(SHAPE)
    corner = (rows < SHAPE[0] // 2 - 2) & (columns < SHAPE[1] // 2 - 2)
    beyond = (rows > SHAPE[0] // 2 + 2) | (columns > SHAPE[1] // 2 + 2)
    assert (cover[corner] == Cover.TREES).all()
    assert (cover[beyond] == Cover.GRASS).all()


@pytest.mark.parametrize("nodata", [None, 0])
def test_what_the_map_does_not_reach_is_unknown(dem: Path, tmp_path: Path, nodata: int | None) -> None:
    path = write_raster(tmp_path / "part.tif", halves(10, 0)[:20], pixel=30, nodata=nodata)
    classes = {0: Cover.WATER, 10: Cover.TREES}
    cover = read_cover(path, dem, classes)
    expected = halves(Cover.TREES, UNKNOWN if nodata == 0 else Cover.WATER)
    expected[20:] = UNKNOWN
    assert cover is not None
    assert (cover == expected).all()
    far = write_raster(tmp_path / "far.tif", halves(10, 80), pixel=30, origin=(900_000, 100_000))
    assert read_cover(far, dem) is None


def test_what_is_no_land_cover_is_refused(dem: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.tif"
    text.write_text("no raster")
    odd = write_raster(tmp_path / "odd.tif", halves(4, 7), pixel=30)
    nowhere = write_raster(tmp_path / "nowhere.tif", halves(10, 80), crs=None, pixel=30)
    for path, message in (
        (odd, r"codes 4, 7, but the known codes are 10, 20, "),
        (nowhere, "nowhere.tif has no CRS"),
        (tmp_path / "none.tif", "cannot be put on the grid of --dem"),
        (text, "cannot be put on the grid of --dem"),
    ):
        with pytest.raises(InputError, match=message):
            read_cover(path, dem)


def test_classes_are_named_as_users_do() -> None:
    assert parse_classes([]) == {int(cover): cover for cover in Cover}
    assert parse_classes(["4=trees", "-1=built-up"]) == {4: Cover.TREES, -1: Cover.BUILT_UP}
    assert all(parse_classes([f"1={name_of(cover)}"]) == {1: cover} for cover in Cover)
    for pair in ("4", "trees=4", "4=forest", "=trees"):
        with pytest.raises(InputError, match=f"--landcover-class {pair} must have the form CODE=CLASS"):
            parse_classes([pair])


def test_a_real_map_fits_its_elevation(shared_data: Path) -> None:
    kaghan = shared_data / "kaghan"
    # Its legend is not published: snow, trees and water are guessed from where they lie.
    cover = read_cover(
        kaghan / "Landcover.tif", kaghan / "AW3D30.tif", parse_classes(["3=snow", "4=trees", "10=water"])
    )
    assert cover is not None
    assert 0.5 < (cover == Cover.TREES).mean() < 0.65
