"""Small networks in the differing styles in which people's code defines CondConv and MixConv.

They are the conformance cases of capture and recognition. One file is one style; `cases.py` gathers them.
Nothing here imports condmix: it stands for code that has never heard of it.
"""
