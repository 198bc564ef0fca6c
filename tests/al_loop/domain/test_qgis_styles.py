"""Styles are well-formed XML with every class, whatever its name."""

from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.domain.qgis_styles import (
    QLR_HEADER,
    QML_HEADER,
    attribute_table,
    label_style,
    mask_style,
    qlr,
    qml,
    region_style,
    uncertainty_style,
)

NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20
)
COLOURS = st.sampled_from(["#000000", "#e6194b", "#FFFFFF"])


def parsed(text: str) -> Element:
    return fromstring(text)  # noqa: S314  # our own


@given(st.dictionaries(NAMES, COLOURS, min_size=1, max_size=8))
def test_every_class_is_in_the_style(colours: dict[str, str]) -> None:
    mask = parsed(qml(mask_style(colours)).removeprefix(QML_HEADER))
    entries = {entry.get("label"): (entry.get("value"), entry.get("color")) for entry in mask.iter("paletteEntry")}
    assert entries == {name: (str(code), colour) for code, (name, colour) in enumerate(colours.items(), start=1)}
    areas = parsed(qml(label_style(colours, "label")).removeprefix(QML_HEADER))
    assert [entry.get("value") for entry in areas.iter("category")] == [*colours, ""]
    assert len(list(areas.iter("symbol"))) == len(colours) + 1
    table = parsed(attribute_table(colours))
    assert [entry.text for entry in table.iter("Category")] == ["background", *colours]
    rows = [[cell.text for cell in row] for row in table.iter("Row")]
    assert [row[:2] for row in rows] == [[str(code), name] for code, name in enumerate(["background", *colours])]


@pytest.mark.parametrize(("crs", "told"), [("EPSG:32630", "authid"), ('GEOGCS["x"]', "wkt"), (None, None)])
def test_layer_definition_names_file_and_crs(crs: str | None, told: str | None) -> None:
    root = parsed(qlr("a & b.tif", "<A>", uncertainty_style(0.5), crs).removeprefix(QLR_HEADER))
    layer = root.find("maplayers/maplayer")
    assert layer is not None
    assert (layer.get("type"), layer.findtext("datasource"), layer.findtext("layername")) == (
        "raster",
        "./a & b.tif",
        "<A>",
    )
    assert told is None or layer.findtext(f"srs/spatialrefsys/{told}") == crs
    assert (layer.find("srs") is None) == (crs is None)


def test_ramp_of_uncertainty_ends_where_the_map_does() -> None:
    root = parsed(qml(uncertainty_style(0.69)).removeprefix(QML_HEADER))
    values = [float(entry.get("value", "nan")) for entry in root.iter("item")]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0, 0.69)


def test_regions_are_coloured_as_the_map_up_to_any_uncertainty() -> None:
    root = parsed(qml(region_style(0.69)).removeprefix(QML_HEADER))
    limits = [(float(entry.get("lower", "nan")), float(entry.get("upper", "nan"))) for entry in root.iter("range")]
    assert limits[0][0] == 0
    assert limits[-1] == (0.5175, 1e6)
    assert [upper for _, upper in limits[:-1]] == [lower for lower, _ in limits[1:]]
