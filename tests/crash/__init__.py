"""The crash matrix: each story again with one outside call failing, or the process dying at it."""
