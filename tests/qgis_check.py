"""Run by the Python that QGIS comes with: open a project, say what is in it, draw it."""

import json
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"
from qgis.core import QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

project_path, geopackage, geojson, picture = sys.argv[1:]
application = QgsApplication([], False)
application.initQgis()
project = QgsProject.instance()
report = {"read": project.read(project_path), "crs": project.crs().authid(), "layers": {}}
nodes = project.layerTreeRoot().findLayers()
for node in nodes:
    layer = node.layer()
    vector = isinstance(layer, QgsVectorLayer)
    graduated = vector and layer.renderer().type() == "graduatedSymbol"
    report["layers"][node.layerId().removeprefix("event_layer_")] = {
        "name": layer.name(),
        "valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "shown": node.isVisible(),
        "renderer": layer.renderer().type(),
        "features": layer.featureCount() if vector else None,
        "aliases": [layer.attributeAlias(n) for n in range(layer.fields().count())] if vector else [],
        "classes": len(layer.renderer().ranges()) if graduated else 0,
    }
alone = {
    "gpkg": f"{geopackage}|layername=landslides",
    "gaps": f"{geopackage}|layername=not_analysed",
    "geojson": geojson,
}
for name, source in alone.items():
    layer = QgsVectorLayer(source, name, "ogr")
    report[name] = {"valid": layer.isValid(), "renderer": layer.renderer().type()}
settings = QgsMapSettings()
settings.setLayers([node.layer() for node in nodes if node.isVisible()])
settings.setDestinationCrs(project.crs())
settings.setExtent(project.mapLayer("event_layer_aoi").extent())
settings.setOutputSize(QSize(1200, 900))
settings.setBackgroundColor(QColor("white"))
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
report["drawn"] = job.renderedImage().save(picture)
sys.stdout.write("REPORT" + json.dumps(report) + "\n")
sys.stdout.flush()
# QGIS may crash when Python takes it apart.
os._exit(0)
