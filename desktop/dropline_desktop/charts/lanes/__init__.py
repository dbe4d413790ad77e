"""The worker lanes: which worker sent what, and when, in the manner of Dask's task stream."""
