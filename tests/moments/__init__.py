"""Tests at other moments than now."""
