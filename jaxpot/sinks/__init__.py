"""Who is shown a run while it goes, on terminals and elsewhere, and who is sent its records."""
