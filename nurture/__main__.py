"""`python -m nurture`: the command line without its script."""

from nurture.cli.main import run

if __name__ == "__main__":
    run()
