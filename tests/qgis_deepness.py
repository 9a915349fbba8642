"""Run by the Python that QGIS comes with: read windows of a raster as the plugin Deepness does, and draw it."""

import json
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"
import numpy as np
from qgis.core import Qgis, QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtCore import QSize

raster, windows, arrays, picture = sys.argv[1:]
application = QgsApplication([], False)
application.initQgis()
layer = QgsRasterLayer(raster, "stack")
provider = layer.dataProvider()
provider.enableProviderResampling(True)
provider.setZoomedInResamplingMethod(provider.ResamplingMethod.Bilinear)
provider.setZoomedOutResamplingMethod(provider.ResamplingMethod.Bilinear)
types = {Qgis.DataType.UInt16: np.uint16, Qgis.DataType.Float32: np.float32}
read = {}
for name, (west, south, east, north, size) in json.loads(windows).items():
    extent = QgsRectangle(west, south, east, north)
    blocks = [provider.block(band, extent, size, size) for band in range(1, layer.bandCount() + 1)]
    bands = [np.frombuffer(bytes(b.data()), types[b.dataType()]).reshape(size, size) for b in blocks]
    read[name] = np.stack(bands)
np.savez(arrays, allow_pickle=False, **read)
settings = QgsMapSettings()
settings.setLayers([layer])
settings.setDestinationCrs(layer.crs())
settings.setExtent(layer.extent())
settings.setOutputSize(QSize(800, 600))
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
report = {
    "valid": layer.isValid(),
    "crs": layer.crs().authid(),
    "bands": [layer.bandName(band) for band in range(1, layer.bandCount() + 1)],
    "shown": layer.renderer().usesBands(),
    "drawn": job.renderedImage().save(picture),
}
sys.stdout.write("REPORT" + json.dumps(report) + "\n")
sys.stdout.flush()
# QGIS may crash when Python takes it apart.
os._exit(0)
