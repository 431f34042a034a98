#!/usr/bin/env bash
# Launches a model's pipelines as the role `launch` of its stack, and says in the summary how it ended.
#
# `release` is only put there: it starts when somebody approves a version. `train` runs to its verdict. Exit codes are
# those of `seatrial launch`: 0 promoted, 3 the gate said no.
# Environment: MODEL, STACK, LAUNCH (the role's ARN), credentials that may become it; `.seatrial/stacks/aws.$STACK.json`.
set -euo pipefail
cd "$(dirname "$0")/.."

# the session ends after an hour and a run may take longer, so that each client gets a new one when it needs it
config=$(mktemp)
trap 'rm -f "$config"' EXIT
printf '[default]\nrole_arn = %s\ncredential_source = Environment\nrole_session_name = release\n' "$LAUNCH" > "$config"
export AWS_CONFIG_FILE=$config AWS_PROFILE=default

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
