"""Are the rules really tested? Each is changed a little, one at a time, and some test must fail: `make mutate`."""
