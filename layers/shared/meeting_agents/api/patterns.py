"""The patterns of texts in requests, each with its words for people. Pure."""

ACCOUNT_ID = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$"
AGENT_ID = r"^[A-Za-z0-9_-]{1,128}$"
BEARER = r"^[Bb]earer +[!-~]{1,4096}$"
CATEGORY = r"^[a-z_]{1,64}$"
EMAIL = r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$"
HTTPS_URL = r"^https://[^\s\x00-\x1f]+$"
HTTP_URL = r"^https?://[^\s\x00-\x1f]+$"
IDEMPOTENCY_KEY = r"^[!-~]{1,255}$"
KEY = r"^[^\x00-\x1f\x7f]+$"
NOTIFICATION_KEY = r"^[0-9a-f]{64}(\.[0-9]{1,6})?(\.before|\.after)?$"
SILENCE_NAME = r"^[a-z0-9][a-z0-9-]{0,63}$"
VISIBLE_ASCII = r"^[!-~]+$"

WORDS = {
    ACCOUNT_ID: "the name of an account: at most 128 letters, digits and . _ @ + -; the first is a letter or a digit",
    AGENT_ID: "the id of an agent in this API, such as ma_3ep2cg6uwrgj7tkowmr6otq6w5",
    BEARER: "`Bearer <token>`",
    CATEGORY: "transcript, audio, video, or cronofy for the dashboard",
    EMAIL: "an e-mail address",
    HTTPS_URL: "an https address",
    HTTP_URL: "an http(s) address",
    IDEMPOTENCY_KEY: "1 to 255 visible ASCII characters",
    KEY: "an id without control characters",
    NOTIFICATION_KEY: "the `key` of a notification in the agent's timeline",
    SILENCE_NAME: "the name of a silence: 1 to 64 lower-case letters, digits and hyphens",
    VISIBLE_ASCII: "visible ASCII characters",
}
"""The expectation of a text that does not match a pattern."""
