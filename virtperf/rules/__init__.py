"""The decisions engines take, as plain functions of explicit state; engines own the flow.

Form of a rule (so that a compiler can take it as it is): a module-level function whose arguments
and results are integers, or rows read by attribute; no allocation, exception, string, closure or
default argument. NONE is -1.
"""
