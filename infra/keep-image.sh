#!/usr/bin/env bash
# Which image the stack is to name: $IMAGE, else the one that it names already. Git does not hold the digest: a release
# would have to commit to the branch that releases it. The stack's own outputs remember it from one `up` to the next.
#
# Environment: STACK; IMAGE, by digest, may be empty. Changes Pulumi.$STACK.yaml in this checkout.
set -euo pipefail
cd "$(dirname "$0")/aws"

image=${IMAGE:-$(pulumi stack output image --stack "$STACK" 2>/dev/null || true)}
if [ -n "$image" ]; then
  pulumi config set image "$image" --stack "$STACK"
  echo "The stack $STACK names $image."
else
  echo "The stack $STACK names no image yet: the first release pushes one."
fi
