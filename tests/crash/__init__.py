"""What is left of the truth when any one outside call fails, or the process dies at it: the crash matrix."""
