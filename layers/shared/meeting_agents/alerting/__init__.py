"""What people read: alerts, digest and dashboard. Pure."""
