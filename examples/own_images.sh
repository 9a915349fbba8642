#!/bin/sh
# Map your own images, clouds included: polygons, a report, a QGIS project, and the model inside QGIS.
#
#     examples/own_images.sh BEFORE AFTER DEM DATE OUT [MODEL]
#
# BEFORE, AFTER   surface reflectance x 10000: a file with bands named B02, B03..., or a folder with one file per band.
#                 Products of processing baseline 04.00 and later need --offset -0.1 below
# DEM             elevation in metres, any raster that covers the images
# DATE            date of the event, YYYY-MM-DD
# OUT             folder to write
# MODEL           bbunet; bbunet-rgb for images with B02, B03 and B04 only; or a file that `landslide export` wrote
#
# The cloud mask needs the extra `clouds`, the last command the extra `deepness`. From the source of landslide:
#
#     pip install ".[clouds,deepness]"
set -eu
before=$1 after=$2 dem=$3 date=$4 out=$5 model=${6:-bbunet}

# Your own images have no scene classification (SCL), so a network looks for clouds. It reads B02, B03, B04, B08, B11 and
# B12. Without these bands, leave --clouds out and choose images without clouds.
landslide map --pre "$before" --post "$after" --dem "$dem" --clouds csmask --event-date "$date" \
  --model "$model" --formats flatgeobuf,csv --out "$out/event"

# Open report.html in a browser and map.qgz in QGIS. Print map.pdf.
landslide info "$out/event"

# Draw other outlines from the same probabilities: none below 0.1 ha, with smooth edges. --threshold maps more or less.
landslide vectorize "$out/event" --min-area 1000 --smooth --formats flatgeobuf,csv

# Run the model inside QGIS, on any part of the images, with the plugin Deepness.
landslide weights qgis "$model" --event "$out/event" --out "$out/in-qgis.onnx"
