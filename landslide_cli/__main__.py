"""Entry point of `landslide` and of `python -m landslide_cli`."""

from landslide_cli.cli.app import main

if __name__ == "__main__":
    main()
