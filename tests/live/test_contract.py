"""The tests that the laptop and the offline AWS pass, collected again with the real service behind the fixtures."""

from tests.contract.test_endpoints import *  # noqa: F403 - pytest collects what is in this module
from tests.contract.test_registry import *  # noqa: F403
