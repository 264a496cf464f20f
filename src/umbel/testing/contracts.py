"""The suites of tests that implementations inherit, to prove that they keep the contracts."""

from __future__ import annotations

from umbel.testing.backends import BackendContract
from umbel.testing.brokers import BrokerContract
from umbel.testing.channels import ChannelContract
from umbel.testing.pools import PoolContract
from umbel.testing.schedules import ScheduleStoreContract

__all__ = ["BackendContract", "BrokerContract", "ChannelContract", "PoolContract", "ScheduleStoreContract"]
