#!/usr/bin/env bash
# Which image the stack is to name: $IMAGE, else the one that it names already. Git does not hold the digest: a release
# would have to commit to the branch that releases it. The stack's own outputs remember it from one `up` to the next.
# An `up` without this, from a checkout that names no image, takes the image out of the stack's outputs: nothing can be
# launched or released then.
#
# Environment: STACK; IMAGE, by digest, may be empty. Changes Pulumi.$STACK.yaml in this checkout. Whatever keeps the
# outputs from being read (credentials, the network, no such stack) ends it: it would else pass for "no image yet".
set -euo pipefail
cd "$(dirname "$0")/aws"

image=${IMAGE:-}
if [ -z "$image" ]; then
  image=$(pulumi stack output --json --stack "$STACK" | jq -r '.image // empty')
fi
if [ -n "$image" ]; then
  pulumi config set image "$image" --stack "$STACK"
  echo "The stack $STACK names $image."
else
  echo "The stack $STACK names no image yet: the first release pushes one."
fi
