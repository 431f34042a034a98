"""Hands the rules to Pulumi. Each rule, its level and its reason are in ``rules/``; README.md lists them."""

import sys
from pathlib import Path

# the command line runs this file from its own folder, others from elsewhere; neither puts it on the path for sure
sys.path.insert(0, str(Path(__file__).resolve().parent))

from pulumi_policy import PolicyPack
from rules import POLICIES

if __name__ == "__main__":
    PolicyPack(name="seatrial", policies=list(POLICIES))
