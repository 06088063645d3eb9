"""What runs: one lane a file."""

from control_tower.traces import start_traces

start_traces()  # here, because whatever runs a flow comes by: the command, the warm worker, and Prefect's own
