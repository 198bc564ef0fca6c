"""Run by the Python of QGIS: opens files as a user does, and prints what it sees as JSON.

`python3 qgis_looks.py FILE.. [--picture OUT.png]`; needs QT_QPA_PLATFORM=offscreen.
"""

import json
import sys
from pathlib import Path

from qgis.core import (  # type: ignore[import-not-found]
    QgsApplication,
    QgsLayerDefinition,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize  # type: ignore[import-not-found]
from qgis.PyQt.QtGui import QColor  # type: ignore[import-not-found]


def layers_of(file):
    if file.suffix != ".qlr":
        kind = QgsRasterLayer if file.suffix == ".tif" else QgsVectorLayer
        return [kind(str(file), file.stem)]
    project = QgsProject.instance()
    project.clear()
    good, reason = QgsLayerDefinition.loadLayerDefinition(str(file), project, project.layerTreeRoot())
    assert good, reason
    return list(project.mapLayers().values())


def classes_of(renderer):
    if hasattr(renderer, "categories"):
        return {entry.value(): entry.symbol().color().name() for entry in renderer.categories() if entry.value()}
    if hasattr(renderer, "classes"):
        return {entry.label: entry.color.name() for entry in renderer.classes()}
    return {}


def looked_at(file):
    found = []
    for layer in layers_of(file):
        box = layer.extent()
        found.append(
            {
                "valid": layer.isValid(), "crs": layer.crs().authid(), "renderer": type(layer.renderer()).__name__,
                "extent": [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()],
                "classes": classes_of(layer.renderer()), "features": getattr(layer, "featureCount", lambda: None)(),
            }
        )  # fmt: skip
    return found


def paint(files, out):
    layers = [layer for file in files for layer in layers_of(file)]
    settings = QgsMapSettings()
    settings.setLayers(layers[::-1])
    settings.setBackgroundColor(QColor("white"))
    settings.setDestinationCrs(layers[0].crs())
    settings.setExtent(layers[0].extent())
    settings.setOutputSize(QSize(800, 600))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(str(out))


def main(arguments):
    application = QgsApplication([], False)
    application.initQgis()
    picture = Path(arguments.pop()) if "--picture" in arguments else None
    files = [Path(name) for name in arguments if name != "--picture"]
    print(json.dumps({str(file): looked_at(file) for file in files}))
    if picture is not None:
        paint(files, picture)


main(sys.argv[1:])
