"""From TOML files to one table of values, each with its file and line."""
