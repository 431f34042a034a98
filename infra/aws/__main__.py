"""What ``pulumi up`` runs. Components are modules beside this one; ``program.py`` puts them together."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repository: this folder is the package infra.aws

from infra.aws.program import build

build()
