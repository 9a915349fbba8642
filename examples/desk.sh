#!/bin/sh
# For a rapid-mapping desk: from an AOI and a date to the layers of Copernicus EMS, with a second opinion.
#
#     examples/desk.sh AOI DATE OUT
#
# AOI    a vector file
# DATE   date of the event, YYYY-MM-DD
# OUT    folder to write
#
# CATALOG=... chooses another STAC API, or an item collection on disk. GeoParquet needs the extra `parquet`. From the
# source of landslide:
#
#     pip install ".[parquet]"
set -eu
aoi=$1 date=$2 out=$3
mkdir -p "$out"

# List the images, and mark those that will be used. Look at scenes.png before you map.
landslide scenes --aoi "$aoi" --event-date "$date" --catalog "${CATALOG:-auto}" --out "$out/scenes.png"

# cems.gpkg holds observedEventA, areaOfInterestA, imageFootprintA, notAnalysedA and source. Outlines below 0.1 ha are
# left out, and so is ground flatter than 5 degrees: change there is mostly fields and rivers.
landslide map --aoi "$aoi" --event-date "$date" --catalog "${CATALOG:-auto}" \
  --min-area 1000 --steeper-than 5 --smooth --schema cems --formats flatgeobuf,geoparquet,shapefile,kml,csv \
  --out "$out/event"

# Ask for a second opinion: a detector without training maps the same images, in a copy of the folder.
rm -rf "$out/second-opinion"
cp -r "$out/event" "$out/second-opinion"
landslide predict "$out/second-opinion" --model red-change
landslide vectorize "$out/second-opinion" --min-area 1000 --steeper-than 5

# Look first where both map a landslide (confirmed, grown, shrunk). A person must check what only one maps (gone, new).
landslide compare "$out/event" "$out/second-opinion" --out "$out/opinions.geojson"
