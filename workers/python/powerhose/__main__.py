"""`python -m powerhose` is `powerhose-worker`, for where the command is not on the path."""

from .worker.command import main

if __name__ == "__main__":
    main()
