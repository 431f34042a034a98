"""Runs a pipeline document on one machine: a laptop, or the inside of a cloud job.

``graph`` decides what runs when (the meaning of a document), ``leaf`` runs one task, ``forkserver`` isolates it in a
process of its own, ``cache`` keeps results by what they were made of, ``journal`` records the run. ``run.execute``
puts them together.
"""
