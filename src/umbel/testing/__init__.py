"""For tests: a kit for those of programs that send tasks, and the conformance suites for stores and pools that others write."""

from umbel.testing.kit import Kit as Kit
from umbel.testing.kit import Ran as Ran
from umbel.testing.sent import Sent as Sent
