#!/usr/bin/env bash
# Launches a model's pipelines, and says in the workflow's summary how it ended.
#
# `release` is only put there: it starts when somebody approves a version. `train` runs to its verdict. Exit codes are
# those of `seatrial launch`: 0 promoted, 3 the gate said no. Run again, it finds the execution that is under way.
# Environment: MODEL, STACK, credentials of the stack's role `launch`; `.seatrial/stacks/aws.$STACK.json`.
set -euo pipefail
cd "$(dirname "$0")/.."

seatrial=.venv/bin/seatrial
"$seatrial" launch "$MODEL" --cloud aws --stack "$STACK" --pipeline release --no-start
code=0
"$seatrial" launch "$MODEL" --cloud aws --stack "$STACK" | tee launch.txt || code=$?
{
  echo "### $MODEL on $STACK"
  echo '```'
  cat launch.txt
  echo '```'
} >> "${GITHUB_STEP_SUMMARY:-/dev/stdout}"
exit "$code"
