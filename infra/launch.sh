#!/usr/bin/env bash
# Launches a model's pipelines, and says in the workflow's summary how it ended.
#
# `release` is only put there: it starts when somebody approves a version. `train` runs to its verdict. Exit codes are
# those of `seatrial launch`: 0 promoted, 3 the gate said no. Run again with the same SEATRIAL_LAUNCH_TOKEN, it finds
# the execution that was started, also from a fresh machine.
# Environment: MODEL, STACK, credentials of the stack's role `launch`; `.seatrial/stacks/aws.$STACK.json`.
set -euo pipefail
cd "$(dirname "$0")/.."

said=$(mktemp) # not in the checkout: what `seatrial launch` packs there would be called dirty
trap 'rm -f "$said"' EXIT
launch() { .venv/bin/seatrial launch "$MODEL" --cloud aws --stack "$STACK" "$@"; }
code=0
{ launch --pipeline release --no-start && launch; } 2>&1 | tee "$said" || code=$?
{
  echo "### $MODEL on $STACK"
  echo '```'
  cat "$said"
  echo '```'
} >> "${GITHUB_STEP_SUMMARY:-/dev/stdout}"
exit "$code"
