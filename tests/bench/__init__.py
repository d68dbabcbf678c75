"""What the system costs and how fast it is, measured beside what it could cost at least: `make bench`."""
