"""What Lambda and the services around it do for functions, one step at a time and with faults on demand.

The embedded AWS holds the data; the functions run here, in processes that see nothing but their folder and the built
layer. So every outside call can be counted, failed or cut off, without a word of it in the functions.
"""
