"""docs/scratch.md teaches with code; what it shows must run."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[4] / "docs" / "scratch.md"


def test_the_examples_on_the_page_run() -> None:
    """A page whose examples fail teaches distrust. They share their names, as a reader's session would."""
    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(examples) >= 4
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)
