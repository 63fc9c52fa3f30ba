"""Export runs for other programs, and import runs of other programs and machines."""
