"""`python -m aigc`, where the script is not on the path."""

from aigc.app import main

if __name__ == "__main__":
    main()
