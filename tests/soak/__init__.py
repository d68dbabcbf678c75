"""The system under steady load with everything around it failing now and then: `make soak`."""
