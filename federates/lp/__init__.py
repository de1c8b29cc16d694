"""Linear and mixed-integer programs on HiGHS: the only place that imports highspy."""
