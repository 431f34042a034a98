#!/usr/bin/env bash
# Builds the project's image, pushes it under the commit's name and says its digest: `image=…@sha256:…` in
# $GITHUB_OUTPUT, or on standard output. Tags in the repository never move: a commit that was pushed is not pushed again.
#
# Environment: ACCOUNT, REPOSITORY (the stack's prefix), AWS_REGION, credentials of the role that releases.
set -euo pipefail
cd "$(dirname "$0")/.."

registry=$ACCOUNT.dkr.ecr.$AWS_REGION.amazonaws.com
tag=$(git rev-parse HEAD)
digest() {
  aws ecr describe-images --registry-id "$ACCOUNT" --repository-name "$REPOSITORY" --image-ids "imageTag=$tag" \
    --query 'imageDetails[0].imageDigest' --output text
}

if ! found=$(digest 2>/dev/null); then
  make image ENGINE=docker IMAGE="$registry/$REPOSITORY:$tag" >&2
  aws ecr get-login-password | docker login --username AWS --password-stdin "$registry" >&2
  docker push --quiet "$registry/$REPOSITORY:$tag" >&2
  found=$(digest)
fi
echo "image=$registry/$REPOSITORY@$found" >> "${GITHUB_OUTPUT:-/dev/stdout}"
