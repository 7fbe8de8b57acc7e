"""Pure algorithms and value types: no I/O, no clock, no environment, no framework.

Docstrings name their source under References. "#n" counts the demands of the five documents that
AuraStream was built from (the AuraStream paper, Creator Intel V2, the worker gaps, StreamRank and
the worker audit), "Cn" the contradictions between them and how each was settled. "Ours" is what no
source defines.
"""
