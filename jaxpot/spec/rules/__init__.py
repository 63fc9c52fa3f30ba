"""The rules across fields of a spec."""
