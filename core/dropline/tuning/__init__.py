"""How many workers: what a running line shows of itself, and what it would do with others."""
