"""The machines that run a bundle: this one, boards by ssh, phones by adb, Arm under emulation."""
