"""`python -m jaxpot`: the same as `jaxpot`."""

from jaxpot.cli.main import main

if __name__ == "__main__":
    main()
