"""`python -m grader`: the command line where no `grader` is on the path. Never imports torch."""

from grader.cli import main

if __name__ == "__main__":
    main()
