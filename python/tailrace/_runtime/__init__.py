"""
From sources to answers: one loop for whatever is made of lines.

Chunks are received, worked on, committed, settled and acknowledged, in this order (`pump`). What
is made of them is a stage's affair (`stage`): counts (`counting`) or rows (`rows`). It stands
above the sources and knows no output.
"""
