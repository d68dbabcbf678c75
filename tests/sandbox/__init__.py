"""The whole system on one machine: an embedded AWS, a stand-in Cronofy, and the story of four agents."""
