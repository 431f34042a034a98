"""The model package: everything that serving needs, as one folder of plain files with digests, and no pickle.

::

    candidate   what a project's candidates.py hands over          signature   columns, types, packing
    features    transformer -> ONNX first, data through the graph  check       callers' rows, every problem at once
    convert     fitted estimator -> ONNX                           session     the one way to run a graph
    graph       align, merge and check graphs                      parity      framework against package
    build       all of it, in order, into a folder                 golden      rows with their expected answers
    read        verify, open, predict                              latency     one row, one core
    manifest    files and digests                                  lineage     where it came from

``build``, ``features``, ``convert`` and ``graph`` need the extra ``train``; ``read``, ``session`` and ``latency`` need
onnxruntime only; ``signature`` and ``check`` need numpy only. Nothing here knows a registry, a server or a cloud.
"""
