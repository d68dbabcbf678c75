"""Lambda and the services around it, one step at a time and with faults on demand.

The embedded AWS holds the data; the functions run here, in processes that see only their folder and the built layer.
So every outside call can be counted, failed or cut off, and the functions do not know of it.
"""
