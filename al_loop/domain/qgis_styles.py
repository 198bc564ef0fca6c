"""Styles of QGIS: `.qml` beside a file, which it takes by itself, and `.qlr`, which adds the file with its style.

Besides, for whatever reads files by GDAL: the names of a mask's classes, and many files as one layer. Pure XML text, of
the form that QGIS 3.22 writes; later versions read it.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from al_loop.domain.class_colours import rgb

QML_HEADER = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
QLR_HEADER = "<!DOCTYPE qgis-layer-definition>\n"
VERSION = "3.22.0"
UNCERTAINTY_RAMP = ("#000004", "#51127c", "#b73779", "#fc8961", "#fcfdbf")
"""Magma of matplotlib (CC0) at equal steps: dark is sure, light is not."""
_FILL_ALPHA = 90
"""Of 255: the image below has to be seen."""
_IGNORED = "#808080"
_ANYTHING = 1e6
"""More than any uncertainty."""
BACKGROUND_NAME = "background"
_FIELDS = [("Value", 0, 5), ("Class", 2, 2), ("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8)]
"""Columns of an attribute table: name, `GDALRATFieldType` and `GDALRATFieldUsage`."""


def mask_style(colours: Mapping[str, str]) -> Element:
    """The style of a raster of class codes: code k has the colour of the k-th class, and 0 none.

    Args:
        colours: `#rrggbb` of each class, in the order of their codes, from 1.
    """
    renderer = Element("rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1", nodataColor="")
    palette = SubElement(renderer, "colorPalette")
    for code, (name, colour) in enumerate(colours.items(), start=1):
        SubElement(palette, "paletteEntry", value=str(code), color=colour, alpha="255", label=name)
    return _of_raster(renderer)


def uncertainty_style(full: float) -> Element:
    """The style of a raster of uncertainties: a ramp from 0, where the model is sure, to `full`."""
    renderer = Element(
        "rasterrenderer", type="singlebandpseudocolor", band="1", opacity="1", alphaBand="-1", nodataColor="",
        classificationMin="0", classificationMax=f"{full:g}",
    )  # fmt: skip
    shader = SubElement(
        SubElement(renderer, "rastershader"), "colorrampshader", colorRampType="INTERPOLATED", clip="0",
        classificationMode="1", minimumValue="0", maximumValue=f"{full:g}",
    )  # fmt: skip
    steps = len(UNCERTAINTY_RAMP) - 1
    for place, colour in enumerate(UNCERTAINTY_RAMP):
        value = f"{full * place / steps:.6g}"
        SubElement(shader, "item", value=value, label=value, color=colour, alpha="255")
    return _of_raster(renderer)


def label_style(colours: Mapping[str, str], attribute: str) -> Element:
    """The style of areas with a class: filled so that the image shows through, outlined in full.

    Args:
        colours: `#rrggbb` of each class.
        attribute: The property that holds the class; areas without one are regions to ignore.
    """
    root = Element("qgis", version=VERSION, styleCategories="Symbology")
    renderer = SubElement(
        root, "renderer-v2", type="categorizedSymbol", attr=attribute, enableorderby="0", forceraster="0",
        symbollevels="0",
    )  # fmt: skip
    categories, symbols = SubElement(renderer, "categories"), SubElement(renderer, "symbols")
    entries = [*colours.items(), ("", _IGNORED)]
    for place, (name, colour) in enumerate(entries):
        label = name or "to be ignored, or another class"
        SubElement(categories, "category", value=name, label=label, symbol=str(place), render="true")
        _fill(symbols, place, colour)
    return root


def region_style(full: float) -> Element:
    """The style of the regions of `uncertainty.geojson`: outlined and filled by their `uncertainty`, as the map is.

    Args:
        full: Uncertainty from which the lightest colour is taken.
    """
    root = Element("qgis", version=VERSION, styleCategories="Symbology")
    renderer = SubElement(
        root, "renderer-v2", type="graduatedSymbol", attr="uncertainty", graduatedMethod="GraduatedColor",
        enableorderby="0", forceraster="0", symbollevels="0",
    )  # fmt: skip
    ranges, symbols = SubElement(renderer, "ranges"), SubElement(renderer, "symbols")
    steps = len(UNCERTAINTY_RAMP) - 1
    for place, colour in enumerate(UNCERTAINTY_RAMP[1:]):
        lower, upper = full * place / steps, full * (place + 1) / steps
        last = place == steps - 1
        SubElement(
            ranges, "range", lower=f"{lower:.6g}", upper=f"{_ANYTHING if last else upper:.6g}", symbol=str(place),
            label=f"from {lower:.2g}" if last else f"{lower:.2g} to {upper:.2g}", render="true",
        )  # fmt: skip
        _fill(symbols, place, colour)
    return root


def _fill(symbols: Element, place: int, colour: str) -> None:
    """Add the symbol of areas of a colour."""
    symbol = SubElement(symbols, "symbol", type="fill", name=str(place), alpha="1", clip_to_extent="1")
    layer = SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"})
    red, green, blue = rgb(colour)
    said = {
        "color": f"{red},{green},{blue},{_FILL_ALPHA}", "outline_color": f"{red},{green},{blue},255",
        "outline_style": "solid", "outline_width": "0.5", "outline_width_unit": "MM", "style": "solid",
    }  # fmt: skip
    options = SubElement(layer, "Option", type="Map")
    for key, value in said.items():
        SubElement(options, "Option", type="QString", name=key, value=value)
        SubElement(layer, "prop", k=key, v=value)


def union_layer(name: str, files: Iterable[str]) -> str:
    """The text of a `.vrt` file of GDAL: the features of many GeoJSON files as one layer.

    Args:
        name: Of the layer.
        files: Paths from where the file lies.
    """
    root = Element("OGRVRTDataSource")
    union = SubElement(root, "OGRVRTUnionLayer", name=name)
    for file in files:
        layer = SubElement(union, "OGRVRTLayer", name=PurePosixPath(file).stem)
        SubElement(layer, "SrcDataSource", relativeToVRT="1").text = file
    return _text(root)


def attribute_table(colours: Mapping[str, str]) -> str:
    """The text of `NAME.tif.aux.xml` beside a mask: names and colours of its codes, as a raster attribute table.

    Args:
        colours: `#rrggbb` of each class, in the order of their codes, from 1; 0 is called background.
    """
    root = Element("PAMDataset")
    band = SubElement(root, "PAMRasterBand", band="1")
    rows = [(BACKGROUND_NAME, "#000000"), *colours.items()]
    names = SubElement(band, "CategoryNames")
    table = SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for place, (field, kind, use) in enumerate(_FIELDS):
        column = SubElement(table, "FieldDefn", index=str(place))
        for tag, text in (("Name", field), ("Type", str(kind)), ("Usage", str(use))):
            SubElement(column, tag).text = text
    for code, (name, colour) in enumerate(rows):
        SubElement(names, "Category").text = name
        row = SubElement(table, "Row", index=str(code))
        for value in (code, name, *rgb(colour)):
            SubElement(row, "F").text = str(value)
    return _text(root)


def qml(style: Element) -> str:
    """The text of a `.qml` file, to lie beside the file that it is of, with the same name."""
    return QML_HEADER + _text(style)


def qlr(file: str, title: str, style: Element, crs: str | None) -> str:
    """The text of a `.qlr` file, which adds one layer to a project.

    Args:
        file: Name of the layer's file, which lies beside it.
        title: What QGIS calls the layer.
        style: As for `qml`; it tells whether the layer is a raster.
        crs: `EPSG:n` or WKT; None: it has none.
    """
    raster = style.find("pipe") is not None
    kind, provider = ("raster", "gdal") if raster else ("vector", "ogr")
    root = Element("qlr")
    group = SubElement(root, "layer-tree-group", name="", expanded="1", checked="Qt::Checked")
    SubElement(
        group, "layer-tree-layer", id="al_loop_layer", name=title, source=f"./{file}", providerKey=provider,
        checked="Qt::Checked", expanded="1",
    )  # fmt: skip
    layer = SubElement(SubElement(root, "maplayers"), "maplayer", type=kind)
    if not raster:
        layer.set("geometry", "Polygon")
    for name, text in (
        ("id", "al_loop_layer"),
        ("datasource", f"./{file}"),
        ("layername", title),
        ("provider", provider),
    ):
        SubElement(layer, name).text = text
    if crs is not None:
        system = SubElement(SubElement(layer, "srs"), "spatialrefsys", nativeFormat="Wkt")
        SubElement(system, "authid" if crs.startswith("EPSG:") else "wkt").text = crs
    layer.extend(list(style))
    return QLR_HEADER + _text(root)


def _of_raster(renderer: Element) -> Element:
    root = Element("qgis", version=VERSION, styleCategories="Symbology")
    pipe = SubElement(root, "pipe")
    provider = SubElement(pipe, "provider")
    SubElement(
        provider, "resampling", enabled="false", zoomedInResamplingMethod="nearestNeighbour",
        zoomedOutResamplingMethod="nearestNeighbour", maxOversampling="2",
    )  # fmt: skip
    pipe.append(renderer)
    return root


def _text(root: Element) -> str:
    indent(root)
    return tostring(root, encoding="unicode") + "\n"
