#!/bin/sh
# A rapid-mapping desk: from an AOI and a date to the layers of Copernicus EMS, with a second opinion.
#
#     examples/desk.sh AOI DATE OUT
#
# AOI    a vector file
# DATE   of the event, YYYY-MM-DD
# OUT    folder to write
#
# CATALOG=... asks another STAC API, or reads an item collection on disk. GeoParquet needs: pip install
# "landslide[parquet]"
set -eu
aoi=$1 date=$2 out=$3
mkdir -p "$out"

# Which images there are, and which will be used: look at scenes.png before anything is mapped.
landslide scenes --aoi "$aoi" --event-date "$date" --catalog "${CATALOG:-auto}" --out "$out/scenes.png"

# cems.gpkg holds observedEventA, areaOfInterestA, imageFootprintA, notAnalysedA and source. Nothing under 0.1 ha, and
# nothing on ground flatter than 5 degrees, where change is mostly fields and rivers.
landslide map --aoi "$aoi" --event-date "$date" --catalog "${CATALOG:-auto}" \
  --min-area 1000 --steeper-than 5 --smooth --schema cems --formats flatgeobuf,geoparquet,shapefile,kml,csv \
  --out "$out/event"

# A second opinion, of a detector that was not trained: on the same images, in a folder of its own.
rm -rf "$out/second-opinion"
cp -r "$out/event" "$out/second-opinion"
landslide predict "$out/second-opinion" --model red-change
landslide vectorize "$out/second-opinion" --min-area 1000 --steeper-than 5

# Look first where both see a landslide (confirmed, grown, shrunk); what one alone sees (gone, new) wants a person.
landslide compare "$out/event" "$out/second-opinion" --out "$out/opinions.geojson"
