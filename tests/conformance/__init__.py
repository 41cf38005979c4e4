"""Every network we know of through every stage of an export: cases x stages.

`cases.py` lists the networks, `proof.py` exports and verifies one of them in all its builds, `faults.py` says what is
wrong with the result. `write_table.py` writes the measured table in docs/.
"""
