from typing import Any

import numpy as np
import shapely
from shapely import LineString

from al_loop.campaigns.overlaying.matching import lay_over, thin_notices
from al_loop.campaigns.overlaying.vectors import Overlay
from al_loop.domain.geojson import coded_polygons
from al_loop.domain.line_places import placed_line
from al_loop.domain.line_widths import LineSettings
from al_loop.domain.samples import SampleHeader
from models.rasters.masks import polygons_to_codes
from tests.al_loop.domain.test_geojson import header_at
from tests.al_loop.store.fixtures import make_header

SIDE = 640.0


def grid(rows: int, columns: int) -> list[SampleHeader]:
    """Images of 64 px of 10 m side by side."""
    found = []
    for number in range(rows * columns):
        row, column = divmod(number, columns)
        header = header_at("EPSG:32631", 500_000.0 + column * SIDE, 5_000_000.0 - row * SIDE, 10.0)
        found.append(make_header(f"{number}.tif", crs=header.crs, transform=header.transform, bounds=header.bounds))
    return found


def road(header: SampleHeader, *xy: tuple[float, float], **properties: Any) -> Overlay:
    """In pixels of an image."""
    line = placed_line(LineString(xy), header)
    assert line is not None
    return Overlay(line, {"label": "road"} | properties)


def codes(features: dict[str, Any], header: SampleHeader) -> np.ndarray:
    polygons = coded_polygons(features, "EPSG:4326", header, ["road"])
    return polygons_to_codes(polygons, header.height, header.width)


def test_line_is_laid_over_each_image_that_it_runs_through() -> None:
    images = grid(2, 3)
    found = lay_over([road(images[0], (10, 20.5), (140, 20.5), width_m=40)], images, LineSettings())
    assert [entry.header.path for entry in found.laid] == ["0.tif", "1.tif", "2.tif"]
    first, middle, _ = (codes(entry.features, entry.header) for entry in found.laid)
    assert middle.any(axis=0).all(), "its width is whole up to the edges"
    assert (middle.sum(axis=0) >= 4).all()
    assert not first[:, :9].any()
    assert found.outside + len(found.without) == 3


def test_images_inside_the_extent_without_a_line_are_told_from_those_outside() -> None:
    images = grid(3, 3)
    around = road(images[0], (5, 5), (187, 5), (187, 187), (5, 187), (5, 5))
    found = lay_over([around], images, LineSettings())
    assert [header.path for header in found.without] == ["4.tif"]
    assert found.outside == 0
    assert len(found.laid) == 8
    assert not thin_notices(found)


def test_thin_coverage_is_noticed() -> None:
    images = grid(5, 5)
    corners = [road(images[0], (1, 1), (60, 1)), road(images[24], (5, 60), (63, 63))]
    corners += [road(images[4], (63, 1), (20, 3)), road(images[20], (1, 63), (40, 60))]
    found = lay_over(corners, images, LineSettings())
    assert len(found.laid) == 4
    assert "coverage is thin: only 4 of" in " ".join(thin_notices(found))


def test_image_with_far_less_than_the_others_is_noticed() -> None:
    images = grid(1, 4)
    lines = [road(images[0], (1, y), (254, y), width_m=10) for y in (10, 20, 30, 40, 50)]
    lines = [Overlay(shapely.clip_by_rect(line.geometry, *wide(images[:3])), line.properties) for line in lines]
    lines.append(road(images[3], (50, 30), (54, 30), width_m=10))
    notices = thin_notices(lay_over(lines, images, LineSettings()))
    assert any(notice.startswith("1 images have less than a tenth") for notice in notices)


def wide(images: list[SampleHeader]) -> tuple[float, float, float, float]:
    return shapely.union_all([shapely.box(*header.bounds) for header in images if header.bounds]).bounds


def test_images_without_a_place_are_counted() -> None:
    images = [*grid(1, 1), make_header("x.tif", crs=None, transform=None, bounds=None)]
    assert lay_over([road(images[0], (1, 1), (9, 9))], images, LineSettings()).nowhere == 1


def test_areas_are_cut_and_counted_like_lines() -> None:
    images = grid(1, 2)
    frame = shapely.box(*wide(images))
    found = lay_over([Overlay(frame, {"label": "road"})], images, LineSettings())
    assert len(found.laid) == 2
    assert all((codes(entry.features, entry.header)[2:-2, 2:-2] == 1).all() for entry in found.laid)


def test_line_across_the_date_line_is_laid_over_images_on_both_sides() -> None:
    image = make_header(
        crs="EPSG:4326", transform=[1e-3, 0, 179.968, 0, -1e-3, 10.0], bounds=[179.968, 9.936, -179.968, 10.0]
    )
    line = LineString([(179.9, 9.97), (-179.9, 9.97)])
    (laid,) = lay_over([Overlay(line, {"label": "road", "width_m": 300})], [image], LineSettings()).laid
    assert codes(laid.features, image).any(axis=0).all()
