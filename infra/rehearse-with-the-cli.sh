#!/usr/bin/env bash
# Runs Pulumi's own command line and its AWS provider against the offline AWS: what `seatrial rehearse --infra` replaces.
# Opt-in: the provider is a download of some hundred megabytes. See rehearse-with-the-cli.md.
#
# Usage: infra/rehearse-with-the-cli.sh [STACK]   (default: dev). Needs pulumi, jq, and `make .venv/ready-dev`.
# Nothing in the checkout is changed; no account is asked: the offline AWS is all that this process knows of AWS.
set -euo pipefail
cd "$(dirname "$0")/.."

stack=${1:-dev}
work=$(mktemp -d)
cleanup() {
  exec 3>&- # the server ends with its standard input
  rm -rf "$work"
}
trap cleanup EXIT

mkfifo "$work/hold" "$work/said"
.venv/bin/python -m seatrial.rehearsal.aws --engine none --json --until-eof < "$work/hold" > "$work/said" 3>&- &
exec 3> "$work/hold"
read -r said < "$work/said"
url=$(jq -r .endpoint_url <<< "$said")
while IFS='=' read -r name value; do export "$name=$value"; done < <(jq -r '.environment | to_entries[] | "\(.key)=\(.value)"' <<< "$said")
echo "The offline AWS listens on $url."

# the program looks for the project above its folder, and Pulumi writes into its settings: both in a copy
git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$work"
ln -s "$PWD/.venv" "$work/.venv"
export PULUMI_BACKEND_URL="file://$work/state" PULUMI_CONFIG_PASSPHRASE=offline PULUMI_SKIP_UPDATE_CHECK=true
mkdir "$work/state"
cd "$work/infra/aws"
pulumi stack init "$stack" --non-interactive

endpoints=$(jq -nc --arg url "$url" '[[
  "budgets", "cloudwatch", "cloudwatchevents", "cloudwatchlogs", "ec2", "ecr", "iam", "kms", "lambda", "s3", "sagemaker",
  "sns", "sts"] | map({(.): $url}) | add]')
pulumi config set --stack "$stack" aws:endpoints "$endpoints"
for flag in skipCredentialsValidation skipMetadataApiCheck skipRegionValidation s3UsePathStyle; do
  pulumi config set --stack "$stack" "aws:$flag" true
done

step() {
  echo "== $*"
  pulumi "$@" --stack "$stack" --non-interactive
}
step preview --policy-pack ../policy
step up --yes --skip-preview --policy-pack ../policy
step up --yes --skip-preview --expect-no-changes --policy-pack ../policy
step refresh --yes --skip-preview --expect-no-changes
pulumi state unprotect --all --yes --stack "$stack"
step destroy --yes --skip-preview
test "$(pulumi stack export --stack "$stack" | jq '.deployment.resources // [] | length')" -eq 0
echo "Nothing is left."
