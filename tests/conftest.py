"""For all tests: asserts inside the shipped suites explain themselves; asked for here, before any test imports them."""

import pytest

pytest.register_assert_rewrite("umbel.testing")
