"""A message for an SNS topic, and the limits of its size. Pure.

https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
"""

from collections.abc import Mapping
from dataclasses import dataclass

MAX_BATCH_BYTES = 256 * 1024
MAX_ATTRIBUTES_BYTES = 4 * 1024
MAX_TEXT_BYTES = MAX_BATCH_BYTES - MAX_ATTRIBUTES_BYTES
"""The longest text of a message, which leaves room for its attributes."""
MAX_BATCH = 10
"""Messages that one call publishes."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the lifecycle topic; subscribers filter on its attributes."""

    text: str
    attributes: Mapping[str, str]
