"""Examinations on more than one machine: the executor's seam in front, Dask behind. The extra `cluster`."""
