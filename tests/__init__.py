"""Tests of the whole bundle: pure rules, functions, template, and the system on one machine."""
