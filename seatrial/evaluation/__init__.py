"""What a model is worth, how sure that is, and whether it may replace the one that serves.

``metrics``, ``calibration``, ``curves`` and ``performance`` describe one model on one sample; ``bootstrap``,
``comparison`` and ``slices`` compare models on the same rows; ``gate`` turns ``evidence`` into a ``decision``;
``scores`` is the table that carries predictions from one task to the next. Only ``scores`` touches files.
"""
