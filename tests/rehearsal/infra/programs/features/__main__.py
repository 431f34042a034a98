"""Runs one case of ``cases.py``: each is a program of its own, as the setting ``case`` says."""

import cases
import pulumi

config = pulumi.Config()
getattr(cases, config.require("case"))(config)
