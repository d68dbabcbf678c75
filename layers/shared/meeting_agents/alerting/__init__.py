"""The texts that people read: alerts and digest. Pure."""
