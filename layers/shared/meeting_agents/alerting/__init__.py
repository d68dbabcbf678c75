"""The texts that people read: alerts, digest and dashboard. Pure."""
