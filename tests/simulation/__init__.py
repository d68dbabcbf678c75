"""A simulated month that knows the truth: the product on a virtual clock, in a world of people, Cronofy and AWS."""
