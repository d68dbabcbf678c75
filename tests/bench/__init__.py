"""The system's cost and speed, each measured beside a lower bound: `make bench`."""
