import pytest

pytest.register_assert_rewrite("umbel.testing")
