"""What several tests of the benchmark share."""

import pytest
from tiny import one_thread

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)
