#!/usr/bin/env bash
# Builds the project's image, pushes it under the commit's name and says its digest: `image=…@sha256:…` in
# $GITHUB_OUTPUT, or on standard output. Tags in the repository never move: a commit that was pushed is not pushed again.
#
# Environment: ACCOUNT, REPOSITORY (the stack's prefix), AWS_REGION, credentials of the role that releases; ENGINE:
# docker, which is the default, or podman.
set -euo pipefail
cd "$(dirname "$0")/.."

engine=${ENGINE:-docker}
registry=$ACCOUNT.dkr.ecr.$AWS_REGION.amazonaws.com
tag=$(git rev-parse HEAD)
wanted=application/vnd.docker.distribution.manifest.v2+json

if [ -n "$(git status --porcelain)" ]; then
  echo "infra/push-image.sh: files here differ from the commit $tag." >&2
  echo "The image is pushed under the commit's name, for good: whoever looks it up has to find the same files there." >&2
  echo "Commit or stash them (git status lists them), then run this again." >&2
  exit 1
fi

refused=$(mktemp)
trap 'rm -f "$refused"' EXIT
described() { # the digest and the media type
  aws ecr describe-images --registry-id "$ACCOUNT" --repository-name "$REPOSITORY" --image-ids "imageTag=$tag" \
    --query 'imageDetails[0].[imageDigest, imageManifestMediaType]' --output text
}

if ! found=$(described 2> "$refused"); then
  if ! grep -q ImageNotFoundException "$refused"; then
    cat "$refused" >&2
    exit 1
  fi
  # AWS's machines that the stacks name are of this kind, and a laptop may be of another
  make image ENGINE="$engine" IMAGE="$registry/$REPOSITORY:$tag" PLATFORM=linux/amd64 >&2
  aws ecr get-login-password | "$engine" login --username AWS --password-stdin "$registry" >&2
  "$engine" push --quiet "$registry/$REPOSITORY:$tag" >&2
  found=$(described)
fi
read -r digest kind <<< "$found"
if [ "$kind" != "$wanted" ]; then
  echo "infra/push-image.sh: the image $REPOSITORY:$tag was pushed as $kind." >&2
  echo "SageMaker serves from $wanted only: CreateModel would refuse it, once a model is trained." >&2
  echo "Delete it (aws ecr batch-delete-image --repository-name $REPOSITORY --image-ids imageTag=$tag)," >&2
  echo "then run this again, with ENGINE=podman or another version of the engine; Makefile says how it builds." >&2
  exit 1
fi
echo "image=$registry/$REPOSITORY@$digest" >> "${GITHUB_OUTPUT:-/dev/stdout}"
