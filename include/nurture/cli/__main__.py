"""Run the command line as `python -m nurture.cli`."""

from nurture.cli.main import main

if __name__ == "__main__":
    main()
