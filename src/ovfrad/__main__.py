"""`python -m ovfrad` is the command `ovfrad`."""

from ovfrad.cli import main

if __name__ == "__main__":
    main()
