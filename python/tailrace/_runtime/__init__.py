"""
From sources to answers: one loop for every kind of result.

Chunks are received, worked on, committed, settled and acknowledged, in this order (`pump`). A
processor (`stage`) turns them into counts (`counting`) or rows (`rows`). This package imports the
sources and no output.
"""
