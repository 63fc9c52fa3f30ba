"""The frozen config classes, one module for each part of a spec."""
