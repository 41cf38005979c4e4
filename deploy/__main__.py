"""`python -m condmix.deploy` is `condmix`."""

from condmix.deploy.cli import main

if __name__ == "__main__":
    main()
