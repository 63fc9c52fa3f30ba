"""The `jaxpot` command: one module per subcommand, imported only when it is called."""
