"""A message for an SNS topic, and the limits of its size. Pure.

https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_BATCH_BYTES = 256 * 1024
MAX_ATTRIBUTES_BYTES = 4 * 1024
MAX_TEXT_BYTES = MAX_BATCH_BYTES - MAX_ATTRIBUTES_BYTES
"""The longest text of a message, which leaves room for its attributes."""
MAX_BATCH = 10
"""Messages that one call publishes."""


type Attributes = Mapping[str, str | Sequence[str]]
"""The attributes of a message: at most ten, as a subscription with raw delivery to a queue takes no more."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the lifecycle topic; subscribers filter on its attributes."""

    text: str
    attributes: Attributes
