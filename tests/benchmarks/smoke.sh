#!/usr/bin/env bash
# Run every benchmark once on tiny input, so that none stops to work unseen. The figures mean nothing.
#
#     tests/benchmarks/smoke.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

bench() { printf '\n-- %s (%s s)\n' "$*" "$SECONDS"; python "$here/$1" "${@:2}"; }

cat >tiny.toml <<'TOML'
epochs = 1
batch = 4
windows_per_epoch = 8
learning_rate = 0.001
TOML

bench run.py --heights-px 256 512
bench fetch.py --width-px 200
bench predict.py --work predict --piece-px 600 --repeat 1 --loop-rows 1 --small-px 300 --measure-s 0.1 --device cpu

bench train.py --work train --size-px 256 --networks tinycd --recipe tiny.toml
bench ablation.py --dataset train/dataset --work ablation --epochs 1 --recipe tiny.toml

mkdir simulated events
for seed in 101 102; do
  ln -s "$work/train/catalog-$seed" "simulated/event-$seed"
  ln -s "$work/train/event-$seed" "events/event-$seed"
done

# These compare with real images, which do not come with the program.
if [ -d "$here/../../../shared/data" ]; then
  bench clouds.py
  bench simulation.py events
  bench simulation_sheet.py sheet.png --work sheet --events 2 --size-px 256 --alike 100
  bench weights.py --models red-change --simulated simulated --events events
else
  echo "no real data beside the checkout: clouds, simulation, simulation_sheet and weights were not run"
fi
