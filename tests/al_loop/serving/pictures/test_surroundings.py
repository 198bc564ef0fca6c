from datetime import UTC, datetime

import pytest

from al_loop.domain.samples import Sample
from al_loop.serving.pictures.surroundings import neighbours, search_box, surroundings, taken_at
from models.pictures.levels import Levels


def sample(number: int = 1, *, column: float = 0, row: float = 0, gsd: float = 10.0, **more: object) -> Sample:
    """A sample of 64 x 48 px in UTM 31N whose corner is so many pixels right and down of a fixed place."""
    fields: dict[str, object] = {
        "sample_id": number, "campaign_id": 1, "path": f"{number}.tif", "width": 64, "height": 48, "band_count": 3,
        "dtype": "uint16", "crs": "EPSG:32631", "nodata": None, "bounds": [3.0, 41.54, 3.01, 41.55], "file_bytes": 1,
        "transform": [gsd, 0.0, 500_000.0 + 10 * column, 0.0, -gsd, 4_600_000.0 - 10 * row], "modified_ns": 0,
        "block": "", "reserve": False, "registered_at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    return Sample(**(fields | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "tag", "expected"),
    [
        ("S2A_MSIL2A_20220825T103031_N0400_R108_T31TDG_20220825T163000.tif", None, "2022-08-25T10:30:31Z"),
        ("S2A_MSIL2A_20220825T103031.SAFE/B04.tif", None, "2022-08-25T10:30:31Z"),
        ("ship_220304000_2022-08-25.tif", "2024:01:01 00:00:00", "2022-08-25"),
        ("LC08_L2SP_198031_20210704_20210712.tif", None, "2021-07-04"),
        ("a.tif", "2023:05:06 07:08:09", "2023-05-06T07:08:09Z"),
        ("chip_20231345.tif", None, None),
        ("Forest_12345678.jpg", None, None),
        ("a.tif", "yesterday", None),
        ("١٢٣٤٠٥٠٦.tif", None, None),
    ],
)
def test_date_comes_from_the_name_then_from_the_tag(path, tag, expected):
    assert taken_at(path, tag) == expected


def test_neighbours_are_placed_in_pixels_of_the_sample_nearest_first():
    right, below_left = sample(2, column=64), sample(3, column=-64, row=48)
    finer = sample(4, column=0, row=-48, gsd=5.0, width=128, height=96)

    found = neighbours(sample(), [below_left, right, finer])

    assert [(other.sample_id, other.dx, other.dy, other.width, other.height) for other in found] == [
        (4, 0, -48, 64, 48),
        (2, 64, 0, 64, 48),
        (3, -64, 48, 64, 48),
    ]


@pytest.mark.parametrize(
    "other",
    [
        sample(1, column=64),
        sample(2, column=2),  # the same place at another date
        sample(2, column=400),
        sample(2, column=64, crs="EPSG:32632"),
        sample(2, column=64, transform=None, crs=None),
        sample(2, column=64, transform=[7.0, 7.0, 500_640.0, 7.0, -7.0, 4_600_000.0]),
    ],
)
def test_what_is_no_neighbour_is_left_out(other):
    assert neighbours(sample(), [other]) == []


def test_one_neighbour_of_each_place_and_24_at_most():
    twins = [sample(2, column=64), sample(3, column=65)]
    crowd = [sample(10 + n, column=64 + n % 8 * 8, row=n // 8 * 6 - 48, width=8, height=6) for n in range(120)]

    assert [other.sample_id for other in neighbours(sample(), twins)] == [2]
    assert len(neighbours(sample(), crowd)) == 24


def test_place_is_told_in_metres_degrees_and_links():
    around = surroundings(sample(path="x_2022-08-25.tif"), Levels(48, 64, overviews={}), None, [])

    assert around.pixel_size_m == pytest.approx(10.0, rel=1e-3)
    assert around.centre == pytest.approx([3.0038, 41.5495], abs=1e-3)
    assert (around.datetime, around.max_zoom, around.tile_size) == ("2022-08-25", 0, 256)
    assert "mlat=41.54" in around.links["openstreetmap"]
    assert "lng=3.00" in around.links["copernicus"]
    assert "fromTime=2022-08-25" in around.links["copernicus"]


def test_without_a_place_there_are_no_links_and_no_search():
    lost = sample(crs=None, transform=None, bounds=None)

    around = surroundings(lost, Levels(48, 64, overviews={}), None, [])

    assert (around.links, around.centre, around.pixel_size_m, around.neighbours) == ({}, None, None, [])
    assert search_box(lost) is None
    assert search_box(sample(bounds=[179.9, 0.0, -179.9, 1.0])) is None
