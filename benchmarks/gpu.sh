#!/usr/bin/env bash
# What only a GPU can show, as one script for a machine that is lent for minutes:
#
#   benchmarks/gpu.sh [--minutes M] [--from STEP] [--rehearse] [--out FOLDER] [--data FILE]
#                     [--begin WEIGHTS]
#
# STEP is ceilings, tests, times, steps or training. Each writes its rows below FOLDER/results as it
# goes, so that a cut loses the last one alone. --rehearse runs every step at a tiny size, on a CPU.
set -uo pipefail
cd "$(dirname "$0")/.."
minutes=8 from=ceilings rehearse="" out=runs/gpu data=synthetic begin=""
while (($#)); do
    case $1 in
        --minutes) minutes=$2; shift ;;
        --from) from=$2; shift ;;
        --out) out=$2; shift ;;
        --data) data=$2; shift ;;
        --begin) begin=$2; shift ;;
        --rehearse) rehearse=--rehearse ;;
        *) echo "unknown option $1; see the head of $0" >&2; exit 2 ;;
    esac
    shift
done
steps="ceilings tests times steps training"
[[ " $steps " == *" $from "* ]] || { echo "unknown step $from; known: $steps" >&2; exit 2; }
mkdir -p "$out"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
python=${PYTHON:-python3}
begun=$SECONDS
left() { echo $((minutes * 60 - SECONDS + begun)); }
fail=0

run() { # name, most seconds, command: a log of its own, what it took, whether it ended well
    local name=$1 most=$2 start=$SECONDS; shift 2
    (($(left) < most)) && most=$(left)
    ((most < 5)) && { echo "== $name: no time left"; return; }
    timeout --signal=INT --kill-after=10 "$most" "$@" 2>&1 | tee "$out/$name.log" | tail -n 25
    local rc=${PIPESTATUS[0]}
    ((rc)) && fail=1
    echo "== $name: $((SECONDS - start)) s, exit $rc"
}

reached=""
for step in $steps; do
    [[ $step == "$from" ]] && reached=1
    [[ $reached ]] || continue
    case $step in
        ceilings) run ceilings 60 "$python" -m benchmarks.gpu.ceilings $rehearse --results "$out/results" ;;
        tests) run tests 150 "$python" -m pytest -m gpu tests/test_gpu.py -q -s -W default -p no:cacheprovider ;;
        times) run times 260 "$python" -m benchmarks.gpu.times $rehearse --results "$out/results" --seconds "${TIMES_SECONDS:-200}" ;;
        steps) run steps 100 "$python" -m benchmarks.gpu.steps $rehearse --results "$out/results" --seconds "${STEPS_SECONDS:-80}" ;;
        training)
            seconds=$(($(left) - 35))
            [[ $rehearse ]] && seconds=${TRAINING_SECONDS:-8}
            run training $((seconds + 33)) "$python" -m benchmarks.gpu.training $rehearse \
                --out "$out/weights" --data "$data" --seconds "$seconds" ${begin:+--begin "$begin"} ;;
    esac
done
tar -czf "$out/results.tar.gz" -C "$out" results 2>/dev/null
exit $fail
