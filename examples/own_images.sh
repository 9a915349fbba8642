#!/bin/sh
# A mapper with images of his own, clouds and all: polygons, a report, a QGIS project, and the model inside QGIS.
#
#     examples/own_images.sh BEFORE AFTER DEM DATE OUT [MODEL]
#
# BEFORE, AFTER   surface reflectance x 10000: a file with bands named B02, B03... or a folder with a file per band.
#                 Products of processing baseline 04.00 and later: add --offset -0.1 below
# DEM             elevation in metres, any raster that covers the images
# DATE            of the event, YYYY-MM-DD
# OUT             folder to write
# MODEL           bbunet, bbunet-rgb for images of B02, B03, B04 alone, or a file that `landslide export` wrote
#
# The cloud mask needs: pip install "landslide[clouds]"; QGIS in the end: pip install "landslide[deepness]"
set -eu
before=$1 after=$2 dem=$3 date=$4 out=$5 model=${6:-bbunet}

# Clouds are looked for by a network, as images at hand come without a classification. It reads B02, B03, B04, B08, B11
# and B12; without these leave --clouds out, and choose images without clouds.
landslide map --pre "$before" --post "$after" --dem "$dem" --clouds csmask --event-date "$date" \
  --model "$model" --formats flatgeobuf,csv --out "$out/event"

# What the mapper opens: report.html in a browser, map.qgz in QGIS, map.pdf on paper.
landslide info "$out/event"

# Other outlines from the same map: nothing below 0.1 ha, and corners of pixels rounded. --threshold shows more or less.
landslide vectorize "$out/event" --min-area 1000 --smooth --formats flatgeobuf,csv

# To run the model in QGIS itself, on any part of the images, with the plugin Deepness.
landslide export "$model" --deepness --event "$out/event" --out "$out/in-qgis.onnx"
